// The pages, as elements: from what the gateway said to what people see. Nothing here asks or remembers anything.
import { h } from './dom.js';
import { duration, ended, isCounted } from './judge.js';

const GROUPS = [['source', 1, 6], ['destination', 7, 13], ['return', 14, 18]];
const STEPS = 18;
const COIN = 10n ** 18n;

// ---- small things ----

const words = (name) => name.replaceAll('_', ' ');
const sentence = (name) => words(name).replace(/^./, (c) => c.toUpperCase());
const grouped = (number) => String(number).replace(/\B(?=(\d{3})+(?!\d))/g, '\u202f');
const shortened = (text) => (text.length > 18 ? `${text.slice(0, 8)}…${text.slice(-6)}` : text);
const hash = (text) => (text ? h('code', { title: text, class: 'hash' }, shortened(text)) : '–');
const full = (text) => (text ? h('code', { class: 'full' }, text) : '–');
const age = (ms, now) => `${duration((now - ms) / 1000)} ago`;
const clock = (ms) => h('time', { datetime: new Date(ms).toISOString(), title: moment(ms) }, new Date(ms).toLocaleTimeString([], { hour12: false }));
const moment = (ms) => new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' }).format(new Date(ms));
const chip = (kind, text) => h('span', { class: `chip ${kind}` }, text);

// Of a chain of coins with 18 decimals; a ledger's smallest unit is its own.
function money(amount, chain) {
	if (!chain.startsWith('eip155:'))
		return `${grouped(amount)} units`;
	const value = BigInt(amount);
	const rest = (value % COIN).toString().padStart(18, '0');
	const digits = value >= COIN ? 4 : Math.min(18, Math.max(4, rest.search(/[1-9]/) + 4));
	return `${grouped(value / COIN)}.${rest.slice(0, digits)} coins`;
}

export function table(caption, heads, rows, empty) {
	if (rows.length === 0)
		return h('p', { class: 'empty' }, empty);
	const id = `t-${caption.toLowerCase().replace(/[^a-z0-9]+/g, '-')}`;
	return h('div', { class: 'table', role: 'region', tabindex: '0', 'aria-labelledby': id, 'data-key': id },
		h('table', {}, h('caption', { id }, caption),
			h('thead', {}, h('tr', {}, heads.map((head) => h('th', { scope: 'col' }, head)))),
			h('tbody', {}, rows)));
}

const facts = (pairs) => h('dl', { class: 'facts' }, pairs.filter(Boolean).map(([name, ...value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));

// ---- a message's state and its eighteen steps ----

const KINDS = { finalized: 'good', refunded: 'back', abandoned: 'back', failed: 'bad', refunding: 'back', request_failed: 'bad', request_unknown: 'bad' };
const state = (name) => chip(KINDS[name] || 'moving', words(name));

export function progress(message) {
	const done = (message.steps || []).filter((s) => s.t_ms);
	return done.length > 0 ? done[done.length - 1] : null;
}

// What failed is the recipient's call alone: what came before is done, and nothing comes next by itself.
function stepClass(step, message) {
	const failed = message.state === 'failed';
	if (step.t_ms)
		return failed && step.name === 'delivery_included' ? 'failed' : 'done';
	if (step.skipped)
		return 'skipped';
	return !failed && !message.ended && step.n === (progress(message)?.n || 0) + 1 ? 'next' : 'pending';
}

function track(message) {
	if (!message.steps)
		return h('span', { class: 'track unknown', 'data-key': 'track' });
	const last = progress(message);
	const label = last ? `Step ${last.n} of ${STEPS}: ${words(last.name)}` : `No step of ${STEPS} yet`;
	return h('span', { class: `track ${message.ended ? 'over' : ''}`, role: 'img', 'aria-label': label, title: label, 'data-key': 'track' },
		GROUPS.map(([name, first, end]) => h('span', { class: `group ${name}` },
			message.steps.slice(first - 1, end).map((s) => h('i', { class: stepClass(s, message) })))));
}

const route = (from, to) => h('span', { class: 'route' }, from, h('span', { 'aria-hidden': 'true' }, ' → '), h('span', { class: 'hidden' }, ' to '), to);

// Under its track: what holds it up, how far it is, or how long it took.
function progressText(message) {
	const last = progress(message);
	if (message.why && !message.ended)
		return message.why;
	if (!last)
		return '';
	return message.ended ? `in ${duration((last.t_ms - message.steps.find((s) => s.t_ms).t_ms) / 1000)}` : words(last.name);
}

function messageRow(message, now) {
	return h('tr', { 'data-key': message.key },
		h('th', { scope: 'row' }, h('a', { href: `#/message/${message.id}/${message.side}`, title: message.id }, shortened(message.id))),
		h('td', {}, route(message.from_chain, message.to_chain)),
		h('td', { class: 'wide' }, track(message), h('span', { class: 'under' }, progressText(message))),
		h('td', {}, state(message.state)),
		h('td', { class: 'number' }, age(message.created_ms, now)));
}

const messageTable = (caption, messages, now, empty) =>
	table(caption, ['Message', 'Route', 'Eighteen steps', 'State', 'Begun'], messages.map((m) => messageRow(m, now)), empty);

// ---- overview ----

function alarmList(found) {
	if (found.length === 0)
		return h('p', { class: 'calm' }, h('span', { 'aria-hidden': 'true' }, '✓ '), 'Nothing needs you.');
	return h('ul', { class: 'alarms' }, found.map((a) => h('li', { class: a.level, 'data-key': a.key },
		h('strong', {}, h('span', { class: 'level' }, a.level === 'alarm' ? 'Alarm' : 'Warning'), a.what),
		h('span', {}, a.why), h('span', { class: 'soft' }, a.remedy))));
}

// One that failed waits for somebody: it is counted apart.
const isOpen = (name) => !ended(name) && name !== 'failed';

function figures(status, now) {
	const counted = status.messages.filter((row) => isCounted(status, row));
	const sum = (test) => counted.filter(test).reduce((n, row) => n + row.count, 0);
	const open = counted.filter((row) => isOpen(row.state));
	const failed = sum((row) => row.state === 'failed');
	const oldest = Math.min(...open.map((row) => row.oldest_ms));
	const row = (name, value, kind = '') => h('div', { class: `figure ${kind}` }, h('dt', {}, name), h('dd', {}, value));
	return h('dl', { class: 'figures' },
		row('On their way', grouped(open.reduce((n, r) => n + r.count, 0))),
		row('Oldest of them', open.length > 0 ? duration((now - oldest) / 1000) : '–'),
		row('Failed', grouped(failed), failed > 0 ? 'bad' : ''),
		row('Finalized', grouped(sum((r) => r.state === 'finalized'))),
		row('Refunded', grouped(sum((r) => r.state === 'refunded'))));
}

function direction(status, chain, way, outgoing) {
	const side = outgoing ? 'source' : 'destination';
	const rows = status.messages.filter((r) => r.chain === chain.id && r.remote === way.remote && r.side === side);
	const sum = (test) => rows.filter(test).reduce((n, r) => n + r.count, 0);
	return { open: sum((r) => isOpen(r.state)), failed: sum((r) => r.state === 'failed'), ended: sum((r) => ended(r.state)) };
}

const counts = (of) => `${grouped(of.open)} open, ${of.failed > 0 ? `${grouped(of.failed)} failed, ` : ''}${grouped(of.ended)} ended`;

function routeRow(status, chain, way) {
	const peers = status.peers.filter((p) => way.peers.includes(p.name));
	const away = peers.filter((p) => !p.reachable);
	const trouble = chain.frozen || (chain.diverged ? 'the nodes tell another history' : null) || (chain.reorg_held ? 'a reorganisation waits' : null) || (!status.ready ? status.why : null);
	const health = trouble ? ['bad', trouble] : peers.length > 0 && away.length === peers.length ? ['bad', 'no peer is reachable'] :
		away.length > 0 || chain.stalled_ms > 0 ? ['warn', away.length > 0 ? 'a peer is away' : 'no new block'] : ['good', 'healthy'];
	const [out, back] = [direction(status, chain, way, true), direction(status, chain, way, false)];
	return h('tr', { 'data-key': `${chain.id} ${way.remote}` },
		h('th', { scope: 'row' }, chain.id, h('span', { 'aria-hidden': 'true' }, ' ⇄ '), h('span', { class: 'hidden' }, ' and '), way.remote),
		h('td', {}, chip(health[0], health[1])),
		h('td', { class: 'number' }, counts(out)),
		h('td', { class: 'number' }, counts(back)),
		h('td', { class: 'number' }, `${grouped(chain.final)} of ${grouped(chain.head)}`),
		h('td', {}, peers.map((p) => h('span', { class: 'peer' }, `${p.name}: ${p.reachable ? 'reachable' : 'away'}${p.waiting > 0 ? `, ${p.waiting} waiting` : ''}`))));
}

const DONE = { 'chain.reorg': 'blocks taken back', 'chain.diverged': 'another history', 'chain.frozen': 'frozen', 'chain.reorg_held': 'waits for an operator', 'chain.evidence': 'evidence', 'request.failed': 'request failed',
	'message.refused': 'held up', 'peer.attested': 'a peer’s enclave', 'ledger.conflict': 'contradicted', 'ledger.registration': 'a registration', message: '' };

const eventRow = (event) => h('li', { 'data-key': event.cursor }, clock(event.time_ms), ' ',
	event.id ? h('a', { href: `#/message/${event.id}/${event.side}`, title: event.id }, shortened(event.id)) : null, ' ',
	event.state ? state(event.state) : null,
	DONE[event.kind] ? h('span', { class: 'soft' }, ` ${DONE[event.kind]}`) : null,
	event.detail ? h('span', {}, ` ${event.detail}`) : null);

export function overview(now, { status, found, messages, events }) {
	return [h('h1', { id: 'title', tabindex: '-1' }, 'Overview'),
		h('section', { 'aria-labelledby': 'alarms-title' }, h('h2', { id: 'alarms-title' }, found.length > 0 ? `Alarms (${found.length})` : 'Alarms'), alarmList(found)),
		figures(status, now),
		h('section', { 'aria-labelledby': 'routes-title' }, h('h2', { id: 'routes-title' }, 'Routes'),
			table('Routes and their health', ['Between', 'Health', 'Outgoing', 'Incoming', 'Final of newest block', 'Peers'],
				status.chains.flatMap((chain) => chain.routes.map((way) => routeRow(status, chain, way))), 'This gateway has no route.')),
		h('section', { 'aria-labelledby': 'live-title' }, h('h2', { id: 'live-title' }, 'Live'),
			messageTable('The newest messages, as they move', messages, now, 'No message yet. The first one shows up here by itself.')),
		h('section', { 'aria-labelledby': 'events-title' }, h('h2', { id: 'events-title' }, 'What happened'),
			events.length > 0 ? h('ol', { class: 'events', tabindex: '0', 'aria-labelledby': 'events-title' }, events.map(eventRow)) :
				h('p', { class: 'empty' }, 'Nothing since this page was opened.'))];
}

// ---- messages ----

const STATES = ['observed', 'final', 'verified', 'signed', 'submitted', 'included', 'outcome_final', 'outcome_verified', 'finalized', 'failed', 'refunding', 'refunded', 'abandoned'];
const option = (value, text, chosen) => h('option', { value, selected: value === chosen }, text);

export function messageList(now, { list, filter }) {
	return [h('h1', { id: 'title', tabindex: '-1' }, 'Messages'),
		h('form', { id: 'filter', class: 'filter', 'data-key': 'filter', role: 'search' },
			h('p', {}, h('label', { for: 'find' }, 'Message id, request id or source transaction'), h('input', { id: 'find', type: 'search', spellcheck: 'false', autocomplete: 'off' })),
			h('p', {}, h('label', { for: 'state' }, 'State'), h('select', { id: 'state' }, option('', 'any', filter.state), STATES.map((s) => option(s, words(s), filter.state)))),
			h('p', {}, h('label', { for: 'side' }, 'Side'), h('select', { id: 'side' }, [['', 'both'], ['source', 'sent from here'], ['destination', 'delivered here']].map(([v, t]) => option(v, t, filter.side)))),
			h('p', {}, h('button', { type: 'submit' }, 'Find'))),
		list ? messageTable('Messages, newest first', list.messages, now, 'No message is like that.') : h('p', { class: 'empty' }, 'Asking…'),
		list?.next ? h('p', {}, h('button', { type: 'button', id: 'older', class: 'quiet' }, 'Older ones')) : null];
}

// ---- one message ----

const LABELS = { done: '', failed: 'failed', skipped: 'left out', pending: 'to come', next: 'next' };

// What shows a step to somebody who believes nobody: a signature, a final block, else what the journal says of it.
const SHOWN = { receipt: 'receipt', storage: 'word of its storage', ics23: 'ICS-23 proof' };

function proofOf(step) {
	const { signature, proof } = step;
	if (step.skipped)
		return step.skipped;
	return [signature ? ['signature ', hash(signature.s)] : null, step.detail && signature ? ', ' : null, step.detail || null,
		proof ? h('span', { class: 'under' }, `${SHOWN[proof.kind] || proof.kind} under block ${proof.block ? grouped(proof.block) : '–'} `, proof.block_hash ? hash(proof.block_hash) : null) : null];
}

function stepRow(step, index, message) {
	const steps = message.steps;
	const before = steps.slice(0, index).reverse().find((s) => s.t_ms);
	const kind = stepClass(step, message);
	const cost = step.cost ? [money(step.cost.paid, step.chain), h('span', { class: 'under' }, `${grouped(step.cost.gas_used)} gas${step.cost.messages > 1 ? `, shared by ${step.cost.messages}` : ''}`)] : '–';
	return h('tr', { class: `step ${kind}`, 'data-key': step.n },
		h('th', { scope: 'row' }, h('span', { class: 'ordinal' }, step.n), sentence(step.name), LABELS[kind] ? h('span', { class: 'soft' }, ` (${LABELS[kind]})`) : null),
		h('td', {}, step.t_ms ? clock(step.t_ms) : '–'),
		h('td', { class: 'number' }, step.t_ms && before ? `+${duration((step.t_ms - before.t_ms) / 1000)}` : ''),
		h('td', {}, step.chain || '–', step.block ? h('span', { class: 'under' }, `block ${grouped(step.block)}`) : null),
		h('td', {}, hash(step.tx)),
		h('td', {}, cost),
		h('td', { class: 'wide soft' }, proofOf(step)));
}

function signature(title, statement, key) {
	return h('section', { class: 'card', 'aria-label': title }, h('h3', {}, title), facts([
		['Statement', `kind ${statement.kind}, epoch ${statement.epoch}, manifest ${statement.manifest}`],
		['Signed by', full(key ? key.public_key : null)],
		['Root of the batch', full(statement.root)],
		['Proof in the batch', statement.path.length > 0 ? `${statement.path.length} hashes` : 'it is the whole batch'],
		['Nonce R', full(statement.rx)],
		['Signature s', full(statement.s)]]));
}

function proofs(envelope, message) {
	if (!envelope)
		return h('p', { class: 'empty' }, 'Nothing is signed yet.');
	const keyOf = (statement) => envelope.keys.find((k) => k.identity === statement.signer && k.epoch === statement.epoch);
	return [h('div', { class: 'cards' },
		signature('The message, signed at the source', envelope.statement, keyOf(envelope.statement)),
		envelope.outcome_statement ? signature('Its outcome, signed at the destination', envelope.outcome_statement, keyOf(envelope.outcome_statement)) : null),
	h('p', {}, 'To check both without any gateway: ', h('code', { class: 'full' }, `caisson envelope ${message.id} > envelope.json && caisson verify envelope.json`))];
}

const costsOf = (message) => {
	const paid = new Map();
	for (const s of message.steps.filter((s) => s.cost))
		paid.set(s.chain, (paid.get(s.chain) || 0n) + BigInt(s.cost.paid) / BigInt(s.cost.messages));
	return [...paid].map(([chain, amount]) => `${money(amount, chain)} on ${chain}`).join(', ');
};

export function oneMessage(now, { message, envelope, failure }) {
	const title = h('h1', { id: 'title', tabindex: '-1' }, 'Message');
	if (failure)
		return [title, h('p', { class: 'error' }, failure), h('p', {}, h('a', { href: '#/messages' }, 'All messages'))];
	if (!message)
		return [title, h('p', { class: 'empty' }, 'Asking…')];
	if (!message.steps)
		return [title, facts([['Request', full(message.request_id)], ['State', state(message.state)], ['From', message.from_chain], ['Transaction', full(message.tx)], ['Why', message.why || '–']])];
	const last = progress(message);
	return [title,
		h('p', { class: 'lead' }, full(message.id)),
		h('p', { class: 'headline' }, route(message.from_chain, message.to_chain), state(message.state), track(message),
			h('span', { class: 'soft' }, last ? `step ${last.n} of ${STEPS}` : '')),
		message.why ? h('p', { class: 'why' }, h('strong', {}, message.ended ? 'What held it up: ' : 'Why it does not go on: '), message.why) : null,
		facts([['Sender', full(message.sender)], ['Recipient', full(message.recipient)],
			['Payload', `${grouped((message.payload.length - 2) / 2)} bytes`],
			['Sequence', grouped(message.sequence)],
			['Deadline', moment(message.deadline * 1000)],
			['Seen from', message.side === 'source' ? 'the source: this gateway sent it' : 'the destination: this gateway delivers it'],
			message.request_id ? ['Request', full(message.request_id)] : null,
			['Paid by this gateway', costsOf(message) || 'nothing so far']]),
		h('section', { 'aria-labelledby': 'trail-title' }, h('h2', { id: 'trail-title' }, 'Trail'),
			table('Eighteen steps, and what proves each', ['Step', 'Time', 'After', 'Where', 'Transaction', 'Cost', 'Proof and detail'], message.steps.map((s, i) => stepRow(s, i, message)), '')),
		h('section', { 'aria-labelledby': 'proof-title' }, h('h2', { id: 'proof-title' }, 'Signatures'), proofs(envelope, message))];
}

// ---- chains ----

const endpointRow = (e) => h('tr', { 'data-key': e.url },
	h('th', { scope: 'row' }, h('code', {}, new URL(e.url).host), h('span', { class: 'under' }, e.websocket ? 'websocket' : 'requests')),
	h('td', {}, chip(e.state === 'ok' ? 'good' : e.state === 'unknown' ? 'back' : 'bad', e.state === 'unknown' ? 'not used yet' : e.state)),
	h('td', { class: 'number' }, e.height > 0 ? grouped(e.height) : '–'), // a websocket brings hints, and is asked for none
	[e.requests, e.errors, e.limited, e.lies, e.diverged].map((n) => h('td', { class: 'number' }, grouped(n))),
	h('td', { class: 'number' }, e.answer_ms === null ? '' : `${grouped(e.answer_ms)} ms`),
	h('td', { class: 'number' }, grouped(e.overtaken)),
	h('td', { class: 'wide soft' }, e.why));

const accountRow = (chain) => (a) => h('tr', { 'data-key': `${a.role} ${a.index}` },
	h('th', { scope: 'row' }, sentence(a.role), a.index ? ` ${a.index}` : ''), h('td', {}, full(a.address)),
	h('td', { class: 'number' }, grouped(a.open_transactions)),
	h('td', { class: 'number' }, a.balance === null ? 'not known yet' : money(a.balance, chain.id)),
	h('td', { class: 'number' }, a.calls === null ? 'no call yet' : grouped(a.calls)),
	h('td', {}, chip(a.low ? 'bad' : 'good', a.low ? 'low' : 'enough')));

function oneChain(chain, now) {
	return h('section', { class: 'chain', 'aria-label': chain.id, 'data-key': chain.id },
		h('h2', {}, chain.id, ' ', chip(chain.finality.startsWith('insecure') ? 'bad' : 'good', chain.finality)),
		chain.frozen ? h('p', { class: 'why' }, h('strong', {}, 'Frozen: '), chain.frozen) : null,
		facts([['Newest block of the nodes', `${grouped(chain.head)}, ${age(chain.head_time_s * 1000, now)}`],
			['In the journal', grouped(chain.cursor)],
			['The enclave’s light client', grouped(chain.client_head)],
			['Final by its word', `${grouped(chain.final)}${chain.final_time_s ? `, ${age(chain.final_time_s * 1000, now)}` : ''}`],
			['Open transactions', grouped(chain.open_transactions)],
			['Gateway contract', full(chain.gateway)],
			chain.bridge ? ['Token bridge', full(chain.bridge)] : null,
			chain.providers ? ['Providers that vote', `${chain.providers.filter((p) => p.answer === 'ok').length} of ${chain.providers.length}`] : null]),
		table(`Accounts on ${chain.id}`, ['Account', 'Address', 'Under way', 'Balance', 'Pays for calls', 'State'], chain.accounts.map(accountRow(chain)), 'No account pays here.'),
		table(`Endpoints of ${chain.id}`, ['Endpoint', 'State', 'Height', 'Requests', 'Errors', 'Limited', 'Lies', 'Diverged', '95 % within', 'Overtaken', 'Newest failure'], chain.endpoints.map(endpointRow), 'No endpoint.'),
		table(`Routes of ${chain.id}`, ['To', 'Peers', 'Our key', 'When undelivered'], chain.routes.map((r) => h('tr', { 'data-key': r.remote },
			h('th', { scope: 'row' }, r.remote), h('td', {}, r.peers.join(', ')),
			h('td', {}, r.epoch ? `epoch ${r.epoch}` : 'the newest', r.next_epoch ? `, epoch ${r.next_epoch} is announced` : ''),
			h('td', {}, `proven by ${r.expire_incoming}`))), 'No route.'));
}

export const chains = (now, { status }) => [h('h1', { id: 'title', tabindex: '-1' }, 'Chains'), status.chains.map((c) => oneChain(c, now))].flat();

// ---- enclave ----

export function identity(now, { enclave, status, insecure, evidence }) {
	const title = h('h1', { id: 'title', tabindex: '-1' }, 'Enclave');
	if (!enclave)
		return [title, h('p', { class: 'empty' }, 'Asking…')];
	if (!enclave.backend)
		return [title, h('p', { class: 'error' }, `It does not answer: ${enclave.why || 'no reason is known'}`)];
	return [title,
		h('section', { 'aria-labelledby': 'trust-title' }, h('h2', { id: 'trust-title' }, 'What weakens trust'),
			insecure.length > 0 ? h('ul', { class: 'flags' }, insecure.map((flag) => h('li', {}, chip('bad', flag)))) :
				h('p', { class: 'calm' }, h('span', { 'aria-hidden': 'true' }, '✓ '), 'No insecure flag is set.')),
		h('section', { 'aria-labelledby': 'who-title' }, h('h2', { id: 'who-title' }, 'Who it is'), facts([
			['State', enclave.ready ? chip('good', 'ready') : chip('bad', enclave.why || 'not ready')],
			['Backend', enclave.backend], ['Build', enclave.build],
			['Measurement', full(enclave.measurement)],
			['Manifest', `number ${enclave.manifest_number}`], ['Manifest hash', full(enclave.manifest_hash)],
			['The gateway’s own', status.manifest_hash === enclave.manifest_hash ? 'the same manifest' : 'another manifest'],
			['Lineage', full(enclave.lineage)],
			['Time', words(enclave.time_source)],
			enclave.anchor ? ['Anchor of its state', `${words(enclave.anchor.state)}, epoch ${enclave.anchor.epoch}, counter ${enclave.anchor.counter}`] : null,
			['Evidence digest', full(enclave.evidence_digest)]])),
		table('Keys', ['Chain', 'Epoch', 'Public key', 'Gas account'], enclave.keys.map((k) => h('tr', { 'data-key': `${k.chain} ${k.epoch}` },
			h('th', { scope: 'row' }, k.chain), h('td', { class: 'number' }, k.epoch), h('td', {}, full(k.public_key)), h('td', {}, full(k.gas_address)))), 'It has no key.'),
		status.ledger ? table('Registered on the ledger', ['Chain', 'Whose', 'State', 'Ends', 'By', 'Enclave'], status.ledger.registrations.map((r) => h('tr', { 'data-key': r.chain },
			h('th', { scope: 'row' }, r.chain), h('td', {}, r.of), h('td', {}, chip(r.state === 'active' ? 'good' : r.needed ? 'bad' : 'back', words(r.state))),
			h('td', {}, r.expires_s === null ? '–' : moment(r.expires_s * 1000)), h('td', {}, r.evidence || '–'), h('td', {}, full(r.enclave)))), 'No node has told it yet.') : null,
		h('section', { 'aria-labelledby': 'evidence-title' }, h('h2', { id: 'evidence-title' }, 'Fresh evidence'),
			h('p', {}, 'Made now, over random bytes of this page. Its verdict is not this page’s to give: ', h('code', {}, 'caisson attest verify FILE --nonce NONCE'), ' judges it offline.'),
			h('p', {}, h('button', { type: 'button', id: 'ask-evidence' }, 'Ask for it')),
			evidence?.failure ? h('p', { class: 'error', role: 'alert' }, evidence.failure) : null,
			evidence?.document ? [facts([['Nonce', full(evidence.nonce)], ['Size', `${grouped((evidence.document.evidence.length - 2) / 2)} bytes`], ['Made', clock(evidence.at)]]),
				h('details', { 'data-key': evidence.nonce }, h('summary', {}, 'The document, to copy into FILE'), h('pre', { tabindex: '0' }, JSON.stringify(evidence.document, null, 1)))] : null)];
}

export const shout = (insecure) => (insecure.length > 0 ? [h('p', { class: 'shout', role: 'note' }, h('strong', {}, 'INSECURE'),
	h('span', {}, ` What is signed here proves nothing outside a test: ${insecure.map(words).join(', ')}.`))] : []);
