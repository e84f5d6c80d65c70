/* The handshake of the key cluster (docs/protocol/cluster.md) against a network and a machine that belong to an
 * attacker: a Key Server, a Guard, a Worker that asks twice. In Promela, for Spin; tests/spec/test_cluster.py runs it
 * whole, and with each of the FLAWs below, which Spin must find.
 *
 * Signatures, evidence and encryption are perfect: what a value is bound to is a field that the attacker cannot change.
 * What an honest process sent over something that the attacker reads, he knows; where he may choose, the receiver takes any
 * message that he can make (there is no process for him). Inside TLS between two honest ends he sees and changes nothing, but
 * he decides who is connected to whom, and may sit in between with connections of his own, which have other exporters.
 */

/* 1 evidence names no channel: neither keys nor exporter
 * 2 a worker's evidence does not cover its request
 * 3 a grant does not name the request that it answers
 * 4 the worker does not look at who the authority is
 * 5 a challenge may be answered twice
 * 6 the key server does not look at the guard's build
 * 7 the worker's request is signed without its box key
 * 8 no flaw: a run in which the worker gets its keys twice is an "error", to show that there is one */
#ifndef FLAW
#define FLAW 0
#endif

/* ---- keys: of TLS and certificates, and boxes that keys are sealed to ---- */
#define KS 1
#define G 2
#define W 3
#define A 4 /* the attacker's */
#define BOX_1 1 /* the worker's, of its first and second request */
#define BOX_2 2
#define BOX_A 3
#define REQUESTS 2

/* Exporters: of the connection G-KS; of G with the attacker; of the attacker with KS. */
#define DIRECT 1
#define WITH_GUARD 2
#define WITH_SERVER 3

/* ---- what the attacker has seen ---- */
bool hello_of_guard[4]; /* by exporter: the Guard's evidence */
bool hello_of_server[4];
bool vouched[16];   /* by exporter * 4 + box: signed by the Guard */
bool evidence[16];  /* by challenge * 4 + box: the Worker's */
bool granted[4];    /* by box: signed by the Key Server */
byte challenges;    /* that the Guard has given */
bool spent[8];

/* ---- what must hold ---- */
bool stolen; /* the application's keys were sealed to the attacker's box */
byte taken;

/* Of the connection that the Guard dialled: where it ends. */
byte dialled;

/* Inside the direct connection. */
chan to_server = [1] of { byte };  /* hello: 0; a vouch: key * 4 + box */
chan to_guard = [1] of { byte };

#define NO_CHANNEL (FLAW == 1)

proctype Guard() {
	byte peer, exporter, key, its_exporter, challenge, csr_key, box, attested_box, answered;
	bool server, good;
	/* The machine connects it to whom it likes. */
	if
	:: peer = KS; exporter = DIRECT
	:: peer = A; exporter = WITH_GUARD
	fi;
	dialled = exporter;
	/* Its own evidence first. */
	if
	:: exporter == DIRECT -> to_server!0; to_guard?_; server = true; good = true; key = KS; its_exporter = DIRECT
	:: else ->
		hello_of_guard[exporter] = true;
		/* What the attacker can answer: what the Key Server said to him, the Guard's own words, or a build of his. */
		if
		:: hello_of_server[WITH_SERVER] -> server = true; good = true; key = KS; its_exporter = WITH_SERVER
		:: server = false; good = true; key = G; its_exporter = exporter
		:: server = true; good = false; key = A; its_exporter = exporter
		fi
	fi;
	if
	:: server && good && (NO_CHANNEL || (key == peer && its_exporter == exporter)) -> skip
	:: else -> goto refused
	fi;
	assert(peer == KS); /* who was attested is who the connection ends at */
vouch:
	if
	:: challenges < REQUESTS -> challenges++
	:: else -> goto refused
	fi;
answer:
	/* A request with an answer to some challenge, through the machine's owner: the Worker's evidence with any request that he
	 * can make. One that is signed by W has W's box; by A, any box. */
	if
	:: challenge = 1
	:: challenge = 2
	fi;
	if
	:: evidence[challenge * 4 + BOX_1] -> attested_box = BOX_1
	:: evidence[challenge * 4 + BOX_2] -> attested_box = BOX_2
	:: else -> goto vouch
	fi;
	if
	:: csr_key = W; box = BOX_1
	:: csr_key = W; box = BOX_2
	:: FLAW == 7 -> csr_key = W; box = BOX_A
	:: csr_key = A; box = BOX_A
	fi;
	if
	:: FLAW != 5 && spent[challenge] -> goto vouch
	:: else -> skip
	fi;
	/* The evidence is about W's key, the challenge and the whole request. */
	if
	:: FLAW == 2 -> skip
	:: FLAW == 7 && csr_key == W -> skip
	:: FLAW != 2 && csr_key == W && box == attested_box -> skip
	:: else -> spent[challenge] = true; goto vouch
	fi;
	assert(!spent[challenge]); /* an answer counts once */
	spent[challenge] = true;
	if
	:: exporter == DIRECT -> to_server!(csr_key * 4 + box)
	:: else -> vouched[exporter * 4 + box] = true
	fi;
	answered++;
	if
	:: answered < REQUESTS -> goto answer
	:: answered < REQUESTS -> goto vouch
	:: else -> skip
	fi;
refused:
	skip
}

/* One session of the Key Server: `peer` is the key of the connection's other end. */
proctype Session(byte peer; byte exporter) {
	byte key, its_exporter, signer, signed_for, box, message;
	bool good;
	if
	:: exporter == DIRECT -> to_server?message; good = true; key = G; its_exporter = DIRECT
	:: else ->
		/* The Guard's evidence as he has seen it, or a Guard of his own. */
		if
		:: hello_of_guard[WITH_GUARD] -> good = true; key = G; its_exporter = WITH_GUARD
		:: good = false; key = A; its_exporter = exporter
		fi
	fi;
	if
	:: (good || FLAW == 6) && (NO_CHANNEL || (key == peer && its_exporter == exporter)) -> skip
	:: else -> goto refused
	fi;
	assert(good); /* no build that the manifest does not name */
	assert(peer == G);
	if
	:: exporter == DIRECT -> to_guard!0
	:: else -> hello_of_server[exporter] = true
	fi;
issue:
	if
	:: exporter == DIRECT -> to_server?message; signer = G; signed_for = DIRECT; box = message % 4
	:: exporter != DIRECT && vouched[WITH_GUARD * 4 + BOX_1] -> signer = G; signed_for = WITH_GUARD; box = BOX_1
	:: exporter != DIRECT -> signer = A; signed_for = exporter; box = BOX_A
	fi;
	if
	:: signer == peer && signed_for == exporter -> skip
	:: else -> goto refused
	fi;
	/* Whoever holds the box's key reads what is sealed to it. */
	stolen = stolen || box == BOX_A;
	assert(!stolen);
	granted[box] = true;
	goto issue;
refused:
	skip
}

proctype Worker() {
	byte request = 1, challenge, box, authority;
	do
	:: request > REQUESTS -> break
	:: else ->
		/* Any challenge: the machine's owner hands it over. He may have it ask again, which replaces the request. */
		if
		:: challenges >= 1 -> challenge = 1
		:: challenges >= 2 -> challenge = 2
		fi;
		evidence[challenge * 4 + request] = true;
		/* A grant by the Key Server, an old one too; or one that the attacker signed himself. */
		if
		:: granted[BOX_1] -> authority = KS; box = BOX_1
		:: granted[BOX_2] -> authority = KS; box = BOX_2
		:: authority = A; box = request
		:: skip -> goto next
		fi;
		if
		:: (authority == KS || FLAW == 4) && (box == request || FLAW == 3) -> skip
		:: else -> goto next
		fi;
		assert(authority == KS); /* keys are a Key Server's */
		assert(box == request);  /* and of this request */
		taken++;
		assert(FLAW != 8 || taken < REQUESTS);
next:
		request++
	od
}

init {
	atomic {
		run Guard();
		run Session(G, DIRECT);
		run Session(A, WITH_SERVER);
		run Worker()
	}
}
