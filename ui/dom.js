// Elements without markup in text, and bringing what is shown to what it shall be without losing focus, selection or scroll.

// h('a', {href: '#/', class: 'x'}, 'text', child, [children], null)
export function h(name, attributes, ...children) {
	const element = document.createElement(name);
	for (const [key, value] of Object.entries(attributes || {})) {
		if (value === null || value === undefined || value === false)
			continue;
		element.setAttribute(key, value === true ? '' : value);
	}
	element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
	return element;
}

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE ? node.getAttribute('data-key') : null);
const same = (a, b) => a.nodeType === b.nodeType && a.nodeName === b.nodeName && keyOf(a) === keyOf(b);

// What a person has opened stays open.
const KEPT = new Set(['open']);

function morphAttributes(old, fresh) {
	for (const { name } of [...old.attributes])
		if (!fresh.hasAttribute(name) && !KEPT.has(name))
			old.removeAttribute(name);
	for (const { name, value } of fresh.attributes)
		if (old.getAttribute(name) !== value)
			old.setAttribute(name, value);
}

function morphNode(old, fresh) {
	if (old.nodeType === Node.TEXT_NODE) {
		if (old.data !== fresh.data)
			old.data = fresh.data;
		return;
	}
	// What somebody is typing or choosing is theirs.
	if (old === document.activeElement && /^(INPUT|SELECT)$/.test(old.nodeName))
		return;
	morphAttributes(old, fresh);
	morph(old, [...fresh.childNodes]);
}

// The children of `parent` become `fresh`: nodes of the same kind and data-key are kept and changed where they stand.
export function morph(parent, fresh) {
	const keyed = new Map([...parent.childNodes].filter(keyOf).map((node) => [keyOf(node), node]));
	let at = parent.firstChild;
	for (const wanted of fresh.filter(Boolean)) {
		const known = keyOf(wanted) ? keyed.get(keyOf(wanted)) : at && !keyOf(at) && same(at, wanted) ? at : null;
		if (known && same(known, wanted)) {
			if (known === at)
				at = at.nextSibling;
			else
				parent.insertBefore(known, at);
			morphNode(known, wanted);
		} else {
			parent.insertBefore(wanted, at);
		}
	}
	while (at) {
		const next = at.nextSibling;
		at.remove();
		at = next;
	}
}
