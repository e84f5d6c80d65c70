// Compiles src/, test/ and examples/ to artifacts/, byte for byte the same on every machine: solc's JavaScript build at the pinned
// version, source unit names relative to this folder or to node_modules, no metadata trailer. With names (examples/CoinPrice.sol)
// what those files hold alone. `--check` writes nothing and fails when an artifact differs from what would be written.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import solc from 'solc';

const here = path.dirname(fileURLToPath(import.meta.url));
const check = process.argv.includes('--check');
const version = '0.8.37';

if (!solc.version().startsWith(`${version}+`)) {
	console.error(`solc ${version} wanted, ${solc.version()} found`);
	process.exit(1);
}

const own = ['src', 'test', 'examples'].flatMap((folder) =>
	fs.readdirSync(path.join(here, folder)).filter((name) => name.endsWith('.sol')).sort()
		.map((name) => `${folder}/${name}`));
const named = process.argv.slice(2).filter((argument) => argument !== '--check');
const unknown = named.filter((name) => !own.includes(name));
if (unknown.length > 0) {
	console.error(`no such source here: ${unknown.join(', ')}`);
	process.exit(1);
}
const asked = named.length > 0 ? named : own;

const input = {
	language: 'Solidity',
	sources: Object.fromEntries(own.map((name) => [name, { content: fs.readFileSync(path.join(here, name), 'utf8') }])),
	settings: {
		evmVersion: 'london',
		// As in the tree of somebody who copies an example.
		remappings: ['caisson/=src/'],
		viaIR: true,
		optimizer: { enabled: true, runs: 1000 },
		metadata: { appendCBOR: false, bytecodeHash: 'none' },
		outputSelection: Object.fromEntries(asked.map((name) => [name, { '*': [
			'abi', 'evm.bytecode.object', 'evm.deployedBytecode.object', 'evm.deployedBytecode.immutableReferences',
			'evm.methodIdentifiers', 'storageLayout',
		] }])),
	},
};

function resolve(name) {
	const file = path.join(here, 'node_modules', name);
	return fs.existsSync(file) ? { contents: fs.readFileSync(file, 'utf8') } : { error: `no such file: ${name}` };
}

const output = JSON.parse(solc.compile(JSON.stringify(input), { import: resolve }));
const problems = output.errors ?? [];
for (const problem of problems) {
	console.error(problem.formattedMessage);
}
if (problems.length > 0) {
	process.exit(1);
}

const sizeMax = 24576; // EIP-170
const wanted = new Map();
for (const source of asked) {
	for (const [name, contract] of Object.entries(output.contracts[source] ?? {})) {
		// Interfaces, abstract contracts and libraries of internal functions have no code to deploy.
		if (contract.evm.deployedBytecode.object.length < 200) {
			continue;
		}
		const deployed = contract.evm.deployedBytecode;
		if (deployed.object.length / 2 > sizeMax) {
			console.error(`${name}: ${deployed.object.length / 2} bytes of code, ${sizeMax} at most`);
			process.exit(1);
		}
		const folder = source.startsWith('src/') ? 'artifacts' : 'artifacts/test';
		const storage = (contract.storageLayout?.storage ?? []).map(({ label, slot, offset }) => ({ label, slot, offset }));
		// Identifiers of immutables are the compiler's node numbers: only the places matter.
		const places = Object.values(deployed.immutableReferences ?? {}).flat().sort((a, b) => a.start - b.start);
		const artifact = {
			contract: name, source, compiler: version, abi: contract.abi, methods: contract.evm.methodIdentifiers, storage,
			immutables: places, bytecode: `0x${contract.evm.bytecode.object}`, deployedBytecode: `0x${deployed.object}`,
		};
		wanted.set(`${folder}/${name}.json`, `${JSON.stringify(artifact, null, 1)}\n`);
		if (!check && (folder === 'artifacts' || named.length > 0)) {
			console.log(`${name}: ${deployed.object.length / 2} bytes`);
		}
	}
}

const present = ['artifacts', 'artifacts/test'].flatMap((folder) => fs.existsSync(path.join(here, folder))
	? fs.readdirSync(path.join(here, folder)).filter((name) => name.endsWith('.json')).map((name) => `${folder}/${name}`)
	: []);
const stale = [];
for (const [file, text] of wanted) {
	const full = path.join(here, file);
	if (fs.existsSync(full) && fs.readFileSync(full, 'utf8') === text) {
		continue;
	}
	stale.push(file);
	if (!check) {
		fs.mkdirSync(path.dirname(full), { recursive: true });
		fs.writeFileSync(full, text);
	}
}
for (const file of named.length > 0 ? [] : present.filter((name) => !wanted.has(name))) {
	stale.push(file);
	if (!check) {
		fs.rmSync(path.join(here, file));
	}
}
if (check && stale.length > 0) {
	console.error(`stale: ${stale.join(', ')}`);
	process.exit(1);
}
