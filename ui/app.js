// The page: what it knows, when it asks, and which view is shown.
import { get, listen, Refused, setKey } from './api.js';
import { morph } from './dom.js';
import { alarms, insecurities } from './judge.js';
import { chains, identity, messageList, oneMessage, overview, shout } from './views.js';

const LIVE = 12; // messages that the overview follows
const EVENTS = 60;
const AT_ONCE = 6; // messages that are read anew together
const POLL_MS = 3000;
const ENCLAVE_POLL_MS = 15000;
const TICK_MS = 1000;
const SETTLE_MS = 250; // changes of one message that come together are read once
const ANNOUNCE_MS = 4000;

const by = (id) => document.getElementById(id);
const keyOf = (id, side) => `${id} ${side}`;

let known; // everything that the key has opened; a new object when it is forgotten
let leaving;

const nothing = () => ({ status: null, enclave: null, live: new Map(), events: [], dirty: new Map(), list: null, filter: { state: '', side: '', find: '' },
	one: {}, evidence: null, enclaveAt: 0, stream: ['wait', 'connecting'], unreachable: '', alarms: null });

// ---- what a screen reader is told, one thing every few seconds ----

const WAITING = 4;
const sayings = [];
let speaking = false;

function speak() {
	if (speaking || sayings.length === 0)
		return;
	speaking = true;
	by('announcer').textContent = sayings.shift();
	setTimeout(() => {
		speaking = false;
		speak();
	}, ANNOUNCE_MS);
}

// What is small is left out while anything else waits.
function announce(text, small = false) {
	if (small && (speaking || sayings.length > 0))
		return;
	sayings.push(text);
	sayings.splice(0, sayings.length - WAITING);
	speak();
}

function announceAlarms(found) {
	const before = known.alarms;
	known.alarms = new Set(found.map((a) => a.key));
	if (!before)
		return;
	for (const fresh of found.filter((a) => !before.has(a.key)))
		announce(`${fresh.level}: ${fresh.what}`);
	if (found.length === 0 && before.size > 0)
		announce('No alarm any more');
}

// ---- showing ----

const here = () => (location.hash.replace(/^#\/?/, '') || 'overview').split('/');

function view(now) {
	const [page, ...rest] = here();
	const found = alarms(known.status, known.enclave, now);
	const insecure = insecurities(known.status, known.enclave);
	const messages = [...known.live.values()].sort((a, b) => b.created_ms - a.created_ms).slice(0, LIVE);
	switch (page) {
	case 'messages':
		return messageList(now, known);
	case 'message':
		return oneMessage(now, known.one.id === rest[0] ? known.one : {});
	case 'chains':
		return chains(now, known);
	case 'enclave':
		return identity(now, { ...known, insecure });
	default:
		return overview(now, { ...known, found, messages });
	}
}

function render() {
	if (!known?.status)
		return;
	const now = Date.now();
	const found = alarms(known.status, known.enclave, now);
	morph(by('view'), view(now));
	morph(by('shout'), shout(insecurities(known.status, known.enclave)));
	by('name').textContent = known.status.name;
	const [kind, text] = known.unreachable ? ['lost', `not reachable: ${known.unreachable}`] : known.stream;
	by('connection').className = `connection ${kind}`;
	if (by('connection').textContent !== text)
		by('connection').textContent = text;
	const [page] = here();
	for (const link of by('nav').children) {
		const target = link.getAttribute('href').replace(/^#\/?/, '') || 'overview';
		if (target === page || (target === 'messages' && page === 'message'))
			link.setAttribute('aria-current', 'page');
		else
			link.removeAttribute('aria-current');
	}
	const urgent = found.filter((a) => a.level === 'alarm').length;
	document.title = `${urgent > 0 ? `(${urgent}) ` : ''}${by('title')?.textContent || ''} · ${known.status.name} · Caisson`;
	announceAlarms(found);
}

let frame = 0;
function renderSoon() {
	cancelAnimationFrame(frame);
	frame = requestAnimationFrame(render);
}

// ---- asking ----

function failed(error) {
	if (error instanceof Refused && (error.status === 401 || error.status === 403))
		leave(error.status === 401 ? 'The gateway does not know this key.' : 'This key lacks the scope read.');
	else
		known.unreachable = error.message;
}

async function poll() {
	const mine = known;
	try {
		mine.status = await get('v1/status');
		if (Date.now() - mine.enclaveAt > ENCLAVE_POLL_MS || !mine.enclave?.ready) {
			mine.enclaveAt = Date.now();
			mine.enclave = await get('v1/enclave');
		}
		mine.unreachable = '';
	} catch (error) {
		if (mine === known)
			failed(error);
	}
}

async function readMessage(id, side) {
	const message = await get(`v1/messages/${encodeURIComponent(id)}`, { side });
	message.key = keyOf(message.id, message.side);
	return message;
}

function follow(message) {
	known.live.set(message.key, message);
	if (known.live.size > 3 * LIVE) {
		const oldest = [...known.live.values()].sort((a, b) => a.created_ms - b.created_ms).slice(0, LIVE);
		oldest.forEach((m) => known.live.delete(m.key));
	}
}

async function readOne(id, side) {
	const mine = known;
	const one = mine.one.id === id ? mine.one : { id };
	mine.one = one;
	try {
		one.message = await readMessage(id, side);
		if (one.message.steps?.some((s) => s.n >= 6 && s.t_ms))
			one.envelope = await get(`v1/messages/${encodeURIComponent(id)}/envelope`, { side });
	} catch (error) {
		if (!one.message)
			one.failure = error.message;
	}
}

// What events named, a few at a time; the rest waits for the next turn.
async function refresh() {
	const mine = known;
	const turn = [...mine.dirty.values()].slice(-AT_ONCE);
	mine.dirty.clear();
	await Promise.all(turn.map(async ({ id, side }) => {
		try {
			const message = await readMessage(id, side);
			if (mine !== known)
				return;
			const wasRead = mine.live.get(message.key);
			follow(message);
			if (mine.list)
				mine.list.messages = mine.list.messages.map((m) => (m.key === message.key ? message : m));
			if (mine.one.id === id)
				await readOne(id, side);
			if (message.ended && wasRead && !wasRead.ended)
				announce(`Message ${id.slice(0, 8)} ${message.state}`, true);
		} catch {
			// The next event, or the next poll, asks again.
		}
	}));
	renderSoon();
}

let settling = 0;
function told(kind, value) {
	const was = known.stream[0];
	if (kind === 'open')
		known.stream = ['open', 'live'];
	if (kind === 'lost')
		known.stream = ['lost', `connection lost: ${value}`];
	if (kind === 'refused')
		leave('The gateway does not take this key any more.');
	if (kind === 'gap') {
		known.cursor = null;
		fill().catch(failed);
	}
	if (known && was !== known.stream[0])
		announce(known.stream[1]);
	if (known && kind === 'event') {
		known.cursor = value.cursor;
		known.events = [value, ...known.events].slice(0, EVENTS);
		if (value.id) {
			const shown = known.live.get(keyOf(value.id, value.side));
			if (shown)
				shown.state = value.state;
			known.dirty.set(keyOf(value.id, value.side), { id: value.id, side: value.side });
			clearTimeout(settling);
			settling = setTimeout(refresh, SETTLE_MS);
		}
	}
	renderSoon();
}

async function fill() {
	const mine = known;
	const page = await get('v1/messages', { limit: LIVE });
	for (const row of page.messages)
		mine.dirty.set(keyOf(row.id, row.side), { id: row.id, side: row.side });
	while (mine === known && mine.dirty.size > 0) {
		const rest = [...mine.dirty].slice(0, -AT_ONCE);
		await refresh();
		rest.forEach(([key, value]) => mine.dirty.set(key, value));
	}
}

async function readList(before) {
	const mine = known;
	const page = await get('v1/messages', { state: mine.filter.state, side: mine.filter.side, tx: mine.filter.tx, before, limit: 25 });
	const rows = await Promise.all(page.messages.map((row) => readMessage(row.id, row.side).catch(() => ({ ...row, key: keyOf(row.id, row.side) }))));
	mine.list = { messages: before ? [...mine.list.messages, ...rows] : rows, next: page.next };
	renderSoon();
}

// ---- coming and going ----

async function open(key) {
	setKey(key);
	known = nothing();
	const mine = known;
	try {
		mine.status = await get('v1/status');
		mine.enclave = await get('v1/enclave');
	} catch (error) {
		known = null;
		setKey('');
		throw error;
	}
	by('door').hidden = true;
	by('key').value = '';
	by('view').hidden = by('nav').hidden = by('leave').hidden = false;
	turned(true);
	mine.cursor = mine.status.event_cursor;
	stream();
	await fill().catch(failed);
	renderSoon();
}

// A page that nobody sees holds no connection: a browser has six for one host. It goes on where it was.
function stream() {
	const mine = known;
	leaving?.abort();
	leaving = new AbortController();
	listen(mine.cursor, (kind, value) => mine === known && told(kind, value), leaving.signal);
}

document.addEventListener('visibilitychange', () => {
	if (known && document.visibilityState === 'hidden')
		leaving.abort();
	else if (known)
		stream();
});

function leave(why = '') {
	leaving?.abort();
	known = null;
	setKey('');
	morph(by('view'), []);
	morph(by('shout'), []);
	by('name').textContent = by('connection').textContent = '';
	by('door').hidden = false;
	by('view').hidden = by('nav').hidden = by('leave').hidden = true;
	by('key-error').textContent = why;
	document.title = 'Caisson';
	by('key').focus();
}

function turned(moved) {
	if (!known)
		return;
	const [page, id, side] = here();
	if (page === 'message')
		readOne(id, side).then(renderSoon);
	if (page === 'messages' && !known.list)
		readList().catch(failed);
	render();
	if (moved) {
		by('title')?.focus();
		window.scrollTo(0, 0);
	}
}

by('enter').addEventListener('submit', async (event) => {
	event.preventDefault();
	const field = by('key');
	by('key-error').textContent = '';
	try {
		await open(field.value.trim());
	} catch (error) {
		by('key-error').textContent = error.status === 401 ? 'The gateway does not know this key.' : error.status === 403 ? 'This key lacks the scope read.' : error.message;
		field.select();
	}
});

by('leave').addEventListener('click', () => leave());
by('skip').addEventListener('click', (event) => {
	event.preventDefault(); // the address after # is the view's
	by('main').focus();
});
window.addEventListener('hashchange', () => turned(true));

document.addEventListener('submit', (event) => {
	if (event.target.id !== 'filter')
		return;
	event.preventDefault();
	const find = by('find').value.trim();
	known.filter = { state: by('state').value, side: by('side').value, tx: '' };
	if (find.startsWith('r') || find === '') {
		if (find)
			location.hash = `#/message/${find}`;
		else
			readList().catch(failed);
		return;
	}
	// 0x and 64 digits: a message, or the transaction that sent it.
	readMessage(find).then(() => { location.hash = `#/message/${find}`; }, () => {
		known.filter.tx = find;
		readList().catch((error) => announce(error.message));
	});
});

document.addEventListener('click', async (event) => {
	if (event.target.id === 'older')
		readList(known.list.next).catch(failed);
	if (event.target.id !== 'ask-evidence')
		return;
	const bytes = crypto.getRandomValues(new Uint8Array(32));
	const nonce = `0x${[...bytes].map((b) => b.toString(16).padStart(2, '0')).join('')}`;
	try {
		known.evidence = { nonce, at: Date.now(), document: await get('v1/enclave/evidence', { nonce }) };
		announce('Fresh evidence is here');
	} catch (error) {
		known.evidence = { failure: error.message };
	}
	renderSoon();
});

setInterval(async () => {
	if (!known || document.visibilityState === 'hidden')
		return;
	await poll();
	const [page, id, side] = here();
	if (known && page === 'message' && known.one.id === id && !known.one.failure && !known.one.message?.ended)
		await readOne(id, side);
	renderSoon();
}, POLL_MS);
setInterval(() => document.visibilityState !== 'hidden' && renderSoon(), TICK_MS);
