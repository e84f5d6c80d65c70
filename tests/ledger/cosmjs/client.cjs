// What a program with @cosmjs/tendermint-rpc asks of a node, over HTTP and over WebSocket: one line of JSON on standard output for
// each step, in order; a step that fails ends the program with what it was.
//
//	node client.cjs HTTP_URL WS_URL [proof]
"use strict";

const assert = require("node:assert/strict");
const { createHash } = require("node:crypto");
const { Comet38Client, connectComet, HttpBatchClient } = require("@cosmjs/tendermint-rpc");

const [httpUrl, wsUrl, what] = process.argv.slice(2);
// So that it can be run again on the same chain.
const run = Date.now();
const bytes = (text) => new Uint8Array(Buffer.from(text));
const hex = (data) => Buffer.from(data).toString("hex").toUpperCase();
const sha256 = (data) => createHash("sha256").update(data).digest();

function said(step, facts = {}) {
  process.stdout.write(JSON.stringify({ step, ...facts }) + "\n");
}

// The first event that `wanted` says yes to. The stream's end or error is a failure.
function firstOf(stream, wanted) {
  return new Promise((resolve, reject) => {
    const listener = {
      next: (event) => {
        if (!wanted(event)) return;
        stream.removeListener(listener);
        resolve(event);
      },
      error: reject,
      complete: () => reject(new Error("the stream has ended")),
    };
    stream.addListener(listener);
  });
}

async function askChain(client, name) {
  const status = await client.status();
  assert.equal(status.syncInfo.latestBlockHeight > 0, true);
  assert.equal(status.nodeInfo.id.length, 20);
  assert.equal(status.validatorInfo.pubkey.algorithm, "ed25519");
  assert.equal(await client.health(), null);
  const genesis = await client.genesis();
  assert.equal(genesis.chainId, status.nodeInfo.network);
  said(`${name} status`, { chain: genesis.chainId, height: status.syncInfo.latestBlockHeight });

  const block = await client.block(1);
  assert.equal(block.block.header.height, 1);
  assert.equal(block.block.lastCommit, null);
  const second = await client.block(2);
  assert.deepEqual(second.block.header.lastBlockId.hash, block.blockId.hash);
  assert.equal(second.block.lastCommit.height, 1);
  assert.equal((await client.block()).block.header.height >= 2, true);
  const chain = await client.blockchain(1, 2);
  assert.deepEqual(chain.blockMetas.map((meta) => meta.header.height), [2, 1]);
  const results = await client.blockResults(1);
  assert.equal(results.height, 1);
  const commit = await client.commit(1);
  assert.equal(commit.canonical, true);
  assert.deepEqual(commit.commit.blockId.hash, block.blockId.hash);
  const validators = await client.validatorsAll(1);
  assert.equal(validators.total, validators.validators.length);
  assert.equal(commit.commit.signatures.length, validators.total);
  const found = await client.blockSearch({ query: "block.height <= 2", per_page: 1 });
  assert.equal(found.totalCount, 2);
  assert.equal((await client.blockSearchAll({ query: "block.height <= 2", per_page: 1 })).blocks.length, 2);
  said(`${name} blocks`, { validators: validators.total });
  await assert.rejects(client.block(1e9), /must be less than or equal to the current blockchain height/);
  await assert.rejects(client.tx({ hash: sha256("nobody sent this") }), /not found/);
  await assert.rejects(client.txSearch({ query: "no query" }), /-32603/);
  said(`${name} refusals`);
}

// A node indexes a block's transactions beside its answers.
async function indexed(ask) {
  for (const end = Date.now() + 30_000; ; await new Promise((resolve) => setTimeout(resolve, 50))) {
    try {
      return await ask();
    } catch (error) {
      if (!/not found/.test(error.message) || Date.now() > end) throw error;
    }
  }
}

async function sendTransactions(client, name) {
  const tx = bytes(`${name}=committed ${run}`);
  const sent = await client.broadcastTxCommit({ tx });
  assert.equal(sent.checkTx.code, 0);
  assert.equal(sent.txResult.code, 0);
  assert.equal(hex(sent.hash), hex(sha256(tx)));
  await assert.rejects(client.broadcastTxSync({ tx }), /already exists in cache/);
  assert.notEqual((await client.broadcastTxSync({ tx: bytes("no pair") })).code, 0);
  assert.equal((await client.broadcastTxAsync({ tx: bytes(`${name}=asynchronous ${run}`) })).hash.length, 32);

  const got = await indexed(() => client.tx({ hash: sent.hash, prove: true }));
  assert.deepEqual([...got.tx], [...tx]);
  assert.equal(got.height, sent.height);
  assert.equal(hex(got.proof.data), hex(tx));
  const header = (await client.block(sent.height)).block.header;
  assert.deepEqual(got.proof.rootHash, header.dataHash);
  const search = await client.txSearch({ query: `app.key='${name}' AND tx.height=${sent.height}`, prove: true });
  assert.equal(search.totalCount, 1);
  assert.deepEqual(search.txs[0].hash, sent.hash);
  const events = search.txs[0].result.events.filter((event) => event.type === "app");
  assert.equal(events[0].attributes.find((attribute) => attribute.key === "key").value, name);
  assert.equal((await client.txSearchAll({ query: `tx.height=${sent.height}` })).txs.length >= 1, true);
  said(`${name} transactions`, { height: sent.height });

  const info = await client.abciInfo();
  assert.equal(info.lastBlockHeight >= sent.height, true);
  const answer = await client.abciQuery({ path: "/key", data: bytes(name), prove: true });
  assert.equal(answer.code, 0);
  assert.equal(Buffer.from(answer.value).toString().length > 0, true);
  const pool = await client.numUnconfirmedTxs();
  assert.equal(pool.total >= 0, true);
  said(`${name} application`, { log: answer.log });
}

async function listen(client) {
  const block = firstOf(client.subscribeNewBlock(), () => true);
  const header = firstOf(client.subscribeNewBlockHeader(), () => true);
  const any = firstOf(client.subscribeTx(), (event) => Buffer.from(event.tx).toString() === `heard=${run}`);
  const one = firstOf(client.subscribeTx("app.key='heard'"), () => true);
  const sent = await client.broadcastTxCommit({ tx: bytes(`heard=${run}`) });
  for (const event of [await any, await one]) {
    assert.equal(hex(event.hash), hex(sent.hash));
    assert.equal(event.height, sent.height);
    assert.equal(event.result.code, 0);
  }
  assert.equal((await block).header.height > 0, true);
  assert.equal((await header).height > 0, true);
  said("ws events", { height: sent.height });
}

// Of an application that proves.
async function askProof(client) {
  const proven = await client.abciQuery({ path: "/store", data: bytes("key"), prove: true });
  assert.equal(Buffer.from(proven.value).toString(), "value of key");
  const ops = proven.proof.ops.map((op) => ({ type: op.type, key: hex(op.key), data: hex(op.data) }));
  said("proof", { ops, index: proven.index, height: proven.height, codespace: proven.codespace });
  const plain = await client.abciQuery({ path: "/store", data: bytes("key") });
  assert.equal(plain.proof, undefined);
  said("no proof");
}

async function main() {
  const http = await Comet38Client.connect(httpUrl);
  if (what === "proof") {
    await askProof(http);
    http.disconnect();
    return;
  }
  await askChain(http, "http");
  await sendTransactions(http, "http");

  const batching = await Comet38Client.create(new HttpBatchClient(httpUrl, { batchSizeLimit: 5 }));
  const blocks = await Promise.all([1, 2, 1, 2, 1, 2, 1].map((height) => batching.block(height)));
  assert.deepEqual(blocks.map((block) => block.block.header.height), [1, 2, 1, 2, 1, 2, 1]);
  batching.disconnect();
  said("batch");

  const ws = await Comet38Client.connect(wsUrl);
  await askChain(ws, "ws");
  await sendTransactions(ws, "ws");
  await listen(ws);
  ws.disconnect();
  http.disconnect();

  // It finds out by the node's version which protocol to speak.
  const detected = await connectComet(httpUrl);
  assert.equal(detected instanceof Comet38Client, true);
  detected.disconnect();
  said("done");
}

// What a library leaves open does not keep the program.
main().then(() => process.exit(0), (error) => {
  process.stderr.write(`${error.stack || error}\n`);
  process.exit(1);
});
