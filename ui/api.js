// The gateway's API as this page uses it: GET with a key, and the stream of events.
//
// The key lives in this module's variable alone. sessionStorage would survive a reload, but whatever runs in this origin later could
// read it there; typing it again costs less.

let key = '';

export class Refused extends Error {
	constructor(status, text) {
		super(text);
		this.status = status;
	}
}

export function setKey(text) {
	key = text;
}

const place = (path) => new URL(path, document.baseURI);

async function refusal(reply) {
	try {
		const problem = await reply.json();
		return new Refused(reply.status, problem.detail || problem.title || `HTTP ${reply.status}`);
	} catch {
		return new Refused(reply.status, `HTTP ${reply.status}`);
	}
}

export async function get(path, query = {}) {
	const url = place(path);
	for (const [name, value] of Object.entries(query))
		if (value !== '' && value !== null && value !== undefined)
			url.searchParams.set(name, value);
	const reply = await fetch(url, { headers: { Authorization: `Bearer ${key}` }, cache: 'no-cache' });
	if (!reply.ok)
		throw await refusal(reply);
	return reply.json();
}

const RETRY_MS = 1000;
const RETRY_MAX_MS = 15000;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The blocks of one stream of server-sent events, as {event, data}.
async function* blocks(body) {
	const reader = body.pipeThrough(new TextDecoderStream()).getReader();
	let text = '';
	for (;;) {
		const { done, value } = await reader.read();
		if (done)
			return;
		text += value;
		for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
			const block = { event: 'message', data: '' };
			for (const line of text.slice(0, end).split('\n')) {
				if (line.startsWith('data: '))
					block.data += line.slice(6);
				else if (line.startsWith('event: '))
					block.event = line.slice(7);
			}
			text = text.slice(end + 2);
			if (block.data)
				yield block;
		}
	}
}

// Every event after the cursor, in order, over as many connections as it takes, until `signal` aborts. told(kind, value):
// 'open', 'event' with the event, 'lost' with a sentence; 'gap' where the journal no longer has what follows the cursor: the
// caller reads everything anew, and the stream goes on with what is new.
export async function listen(cursor, told, signal) {
	let wait = RETRY_MS;
	while (!signal.aborted) {
		let why = 'the stream ended';
		try {
			const url = place('v1/events');
			if (cursor !== null)
				url.searchParams.set('cursor', cursor);
			const reply = await fetch(url, { headers: { Authorization: `Bearer ${key}` }, cache: 'no-store', signal });
			if (!reply.ok)
				throw await refusal(reply);
			told('open');
			wait = RETRY_MS;
			for await (const block of blocks(reply.body)) {
				const value = JSON.parse(block.data);
				if (block.event === 'dropped') {
					why = value.why;
					continue;
				}
				cursor = value.cursor;
				told('event', value);
			}
		} catch (error) {
			if (signal.aborted)
				return;
			why = error.message;
			if (error.status === 401 || error.status === 403) {
				told('refused', why);
				return;
			}
			if (error.status === 409) {
				cursor = null;
				told('gap');
			}
		}
		told('lost', why);
		await pause(wait);
		wait = Math.min(2 * wait, RETRY_MAX_MS);
	}
}
