// What is wrong, from what the gateway says of itself, with what to do about it. Each row here has its rule for Prometheus in
// docker/prometheus/alerts.yml: this page is for who looks, the rules are for who sleeps.

const OLD_S = 600;
const SOON_S = 7 * 86400;

export const ended = (state) => state === 'finalized' || state === 'refunded' || state === 'abandoned';

// A gateway of both chains has two rows of one message: the source's stands for it.
export const isCounted = (status, row) => row.side === 'source' || !status.chains.some((chain) => chain.id === row.remote);

export function duration(seconds) {
	if (seconds < 0.95)
		return `${Math.max(0, Math.round(seconds * 1000))} ms`;
	if (seconds < 60)
		return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
	const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
	if (days > 0)
		return `${days} d ${hours} h`;
	return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${Math.floor(seconds % 60)} s`;
}

const alarm = (key, what, why, remedy) => ({ key, level: 'alarm', what, why, remedy });
const warning = (key, what, why, remedy) => ({ key, level: 'warning', what, why, remedy });
const many = (count, one, more) => `${count} ${count === 1 ? one : more}`;

function ofChain(chain, now) {
	const found = [];
	if (chain.frozen)
		found.push(alarm(`frozen ${chain.id}`, `${chain.id} is frozen`, chain.frozen,
			'Nothing is signed for it any more. Follow “After a freeze” of the manifest’s page, step by step.'));
	if (chain.diverged)
		found.push(alarm(`diverged ${chain.id}`, `The nodes of ${chain.id} tell another history`,
			'Their branch does not hold the block that the enclave has as final.',
			'Compare the endpoints below with an explorer, and replace the one that lies.'));
	if (chain.reorg_held)
		found.push(alarm(`held ${chain.id}`, `A reorganisation of ${chain.id} waits for an operator`,
			`${chain.reorg_held.blocks} blocks from ${chain.reorg_held.from_height}: more than is followed without a word. Nothing of the chain is read.`,
			`Compare block ${chain.reorg_held.from_height} with other nodes; if they have ${chain.reorg_held.block_hash}, then caisson accept-reorg.`));
	if (chain.stalled_ms > 0)
		found.push(warning(`stalled ${chain.id}`, `No new block of ${chain.id}`, `For ${duration(chain.stalled_ms / 1000)} longer than usual.`,
			'Add an endpoint of another provider; if all of them stand, so does the chain.'));
	const left = chain.client_expires_s === null ? Infinity : chain.client_expires_s - now / 1000;
	if (left <= 0)
		found.push(alarm(`client ${chain.id}`, `The light client of ${chain.id} is of no use any more`,
			`It had no final block for ${duration(chain.trusting_period_s)}.`, 'The next manifest brings it a new anchor.'));
	else if (left < chain.trusting_period_s / 2)
		found.push(warning(`client ${chain.id}`, `The light client of ${chain.id} needs a final block`,
			`In ${duration(left)} it is of no use any more.`, 'Look at its nodes; a chain that makes blocks for transactions needs one.'));
	const asked = chain.endpoints.filter((e) => !e.websocket);
	const bad = asked.filter((e) => e.state !== 'ok' && e.state !== 'unknown');
	for (const e of bad)
		found.push((bad.length === asked.length ? alarm : warning)(`endpoint ${chain.id} ${e.url}`, `An endpoint of ${chain.id} is ${e.state}`,
			`${new URL(e.url).host}${e.why ? `: ${e.why}` : ''}`, 'The others are asked meanwhile.'));
	for (const account of chain.accounts.filter((a) => a.low))
		found.push((account.balance === '0' ? alarm : warning)(`low ${chain.id} ${account.role} ${account.index}`,
			`The ${account.role} account${account.index ? ` ${account.index}` : ''} on ${chain.id} runs out of money`,
			account.cannot_pay ? 'It could not pay for its next transaction.' : account.calls === null ? 'It has nothing.' : `It pays for ${many(account.calls, 'more call', 'more calls')}.`,
			`Send some to ${account.address}.`));
	return found;
}

// A registration on the ledger: when its end comes near, and when it counts no more.
function ofRegistration(r, now) {
	const [key, level] = [`registration ${r.of} ${r.chain}`, r.needed ? alarm : warning];
	const enclave = `${r.of === 'own' ? 'our' : 'the'} enclave of ${r.chain}`;
	const left = r.expires_s - now / 1000;
	const then = 'The ledger takes nothing that it signs then.';
	const renew = `${r.of === 'own' ? 'Register it again' : 'Its operator registers it again'} with a later end: caisson doctor has the command.`;
	if (r.expires_s === null)
		return r.needed ? [alarm(key, `On the ledger ${enclave} is not registered`, 'What needs it waits.', renew)] : [];
	if (r.state === 'expired' || left <= 0)
		return [level(key, `The registration of ${enclave} has ended`, `${duration(-left)} ago. ${then}`, renew)];
	if (r.state !== 'active')
		return [level(key, `The registration of ${enclave} does not count`, `It is ${r.state.replaceAll('_', ' ')}.`, 'Ask the owner of the ledger’s register.')];
	return left < SOON_S ? [warning(key, `The registration of ${enclave} ends soon`, `In ${duration(left)}. ${then}`, renew)] : [];
}

function ofMessages(status, now) {
	const found = [];
	for (const row of status.messages.filter((r) => isCounted(status, r))) {
		const where = row.side === 'source' ? `from ${row.chain} to ${row.remote}` : `from ${row.remote} to ${row.chain}`;
		const age = (now - row.oldest_ms) / 1000;
		if (row.state === 'failed')
			found.push(warning(`failed ${row.chain} ${row.remote} ${row.side}`, `${many(row.count, 'message', 'messages')} ${where} failed`,
				'The recipient’s contract refused; each says why.', 'Retry or close it; else it is refunded at its deadline.'));
		else if (!ended(row.state) && age > OLD_S)
			found.push(warning(`old ${row.chain} ${row.remote} ${row.side} ${row.state}`, `${many(row.count, 'message', 'messages')} ${where} ${row.count === 1 ? 'is' : 'are'} still ${row.state.replaceAll('_', ' ')}`,
				`The oldest is ${duration(age)} old.`, 'Open it: “why” says what holds it up.'));
	}
	return found;
}

export function alarms(status, enclave, now = Date.now()) {
	const found = [];
	if (!status.ready)
		found.push(alarm('ready', 'Messages do not move', status.why, 'The rows below say where it comes from.'));
	if (enclave && !enclave.ready)
		found.push(alarm('enclave', 'The enclave is not ready', enclave.why || 'It does not answer.', 'Its log says why it does not start.'));
	if (enclave?.anchor?.state === 'rolled_back')
		found.push(alarm('rollback', 'The enclave’s state was rolled back', 'The state in the journal is older than its anchor.',
			'Bring the newest journal back; else see “What to keep” in the operator’s guide.'));
	found.push(...status.chains.flatMap((chain) => ofChain(chain, now)));
	for (const peer of status.peers.filter((p) => !p.reachable))
		found.push(warning(`peer ${peer.name}`, `${peer.name} is not reachable`, `${many(peer.waiting, 'item waits', 'items wait')} for it.`,
			`Is it up, and does ${new URL(peer.url).host} lead to it?`));
	for (const peer of status.peers.filter((p) => !['off', 'accepted'].includes(p.attested.state)))
		found.push(alarm(`attested ${peer.name}`, `Nothing of ${peer.name} is taken`, `Its enclave is ${peer.attested.state}: ${peer.attested.why}.`,
			'`caisson attest connect` with the same policy shows each check.'));
	for (const peer of status.peers.filter((p) => p.attested.evidence_until_s && p.attested.evidence_until_s - now / 1000 < SOON_S))
		found.push(warning(`evidence ${peer.name}`, `What ${peer.name} is accepted by ends soon`, `In ${duration(peer.attested.evidence_until_s - now / 1000)} its enclave is refused.`,
			'Renew the file of attested_collateral, and caisson reload.'));
	if (status.ledger && status.ledger.conflicts > 0)
		found.push(alarm('ledger conflicts', 'The bridge’s ledger contradicts this journal', many(status.ledger.conflicts, 'record', 'records'),
			'Two gateways tell different things of one message: compare them.'));
	for (const registration of status.ledger?.registrations || [])
		found.push(...ofRegistration(registration, now));
	found.push(...ofMessages(status, now));
	return found.sort((a, b) => (a.level === b.level ? 0 : a.level === 'alarm' ? -1 : 1));
}

// What weakens trust, by name: the enclave's flags, and chains whose blocks count as final by nobody's word.
export function insecurities(status, enclave) {
	const found = [...(enclave?.insecure || [])];
	for (const chain of status?.chains || [])
		if (chain.finality.startsWith('insecure_'))
			found.push(`${chain.finality} (${chain.id})`);
	return found;
}
