"""What the gateway's API takes and gives, by its own names (docs/rest.md, /openapi.json)."""
from typing import Literal, NotRequired, TypedDict

Mode = Literal["prepare", "submit", "sponsored"]
Side = Literal["source", "destination"]
MessageState = Literal["observed", "final", "verified", "signed", "submitted", "included", "outcome_final", "outcome_verified",
                       "finalized", "failed", "refunding", "refunded", "abandoned"]
RequestState = Literal["requested", "request_failed", "request_unknown"]
QuoteKind = Literal["message", "transfer"]
EventKind = Literal["message", "message.refused", "request.failed", "chain.reorg", "chain.diverged", "chain.frozen", "chain.reorg_held",
                    "ledger.conflict", "webhook.disabled", "operator.pause", "operator.resume", "operator.observe", "operator.observed", "operator.clear",
                    "operator.retry", "operator.reload", "operator.drain", "operator.undrain", "operator.drained", "operator.raise",
                    "operator.sweep", "operator.accept_reorg", "peer.attested", "ledger.registration", "chain.evidence"]


class Attributes(TypedDict, total=False):
    """ERC-7786 attributes; what is left out is the route's default."""

    deadline: int
    min_gas_limit: int
    closer: str
    refund_to: str
    finality: int


class CloseTransaction(TypedDict):
    """value: wei, as decimal text."""

    chain: str
    to: str
    data: str
    value: str


# `from` is a word of the language.
Transaction = TypedDict("Transaction", {"what": Literal["approve", "transfer", "sendMessage"], "chain": str, "from": NotRequired[str],
                                        "to": str, "data": str, "value": str, "gas": int})


class Request(TypedDict):
    """request_id stands for the message until its id is known. transactions: to be signed where mode is prepare."""

    request_id: str
    mode: Mode
    chain: str
    transactions: list[Transaction]


class Place(TypedDict):
    block: int | None
    tx: str | None
    time_s: int | None


class Cost(TypedDict):
    """Of a block with a transaction of the gateway that was asked; paid in the chain's smallest unit, by all its messages together."""

    gas_used: int
    paid: str
    messages: int


class StepSignature(TypedDict):
    """Of steps 6 and 13: the envelope's statement without the path, and the signer's key where this gateway knows it."""

    kind: int
    signer: str
    receiver: str
    epoch: int
    manifest: int
    root: str
    rx: str
    ry: str
    s: str
    public_key: str | None


class StepProof(TypedDict):
    """What the enclave was shown before it signed, as its gateway told it. kind: receipt, storage or ics23."""

    kind: str
    block: int | None
    block_hash: str | None
    final_block: int | None


class Step(TypedDict):
    """One that happened has t_ms, one that never will has skipped (why), one that may still happen has pending."""

    n: int
    name: str
    t_ms: NotRequired[int]
    chain: NotRequired[str | None]
    tx: NotRequired[str | None]
    block: NotRequired[int | None]
    detail: NotRequired[str | None]
    cost: NotRequired[Cost]
    signature: NotRequired[StepSignature]
    proof: NotRequired[StepProof | None]
    skipped: NotRequired[str]
    pending: NotRequired[bool]


class Submission(TypedDict):
    tx: str | None
    nonce: int
    messages: int


class Message(TypedDict):
    """A message, or a request whose event is not on chain yet: id is None then, and only the first members are there."""

    id: str | None
    state: MessageState | RequestState
    ended: bool
    from_chain: str
    created_ms: int
    request_id: NotRequired[str]
    traceparent: NotRequired[str]
    tracestate: NotRequired[str]
    mode: NotRequired[Mode]
    tx: NotRequired[str | None]
    why: NotRequired[str | None]
    side: NotRequired[Side]
    to_chain: NotRequired[str]
    source: NotRequired[str]
    destination: NotRequired[str]
    sequence: NotRequired[int]
    deadline: NotRequired[int]
    min_gas_limit: NotRequired[int]
    finality: NotRequired[int]
    closer: NotRequired[str | None]
    refund_to: NotRequired[str | None]
    sender: NotRequired[str]
    recipient: NotRequired[str]
    payload: NotRequired[str]
    sent: NotRequired[Place]
    status: NotRequired[Literal["none", "failed", "delivered", "dead"]]
    executed: NotRequired[Place]
    outcome: NotRequired[Literal["delivered", "dead"] | None]
    finalization: NotRequired[Place]
    tries: NotRequired[int]
    stopped: NotRequired[bool]
    updated_ms: NotRequired[int]
    submission: NotRequired[Submission]
    steps: NotRequired[list[Step]]


class MessageList(TypedDict):
    """Newest first; next is the cursor for `before`, None at the end."""

    messages: list[Message]
    next: int | None


class Filters(TypedDict, total=False):
    """Of a list of messages: chains are CAIP-2, accounts CAIP-10, tx is the source's transaction."""

    state: MessageState
    side: Side
    from_chain: str
    to_chain: str
    sender: str
    recipient: str
    tx: str


class Latency(TypedDict):
    """Measured: half of the samples, and 99 of a hundred, took no longer than this."""

    samples: int
    p50_ms: int
    p99_ms: int


class Quote(TypedDict):
    """Wei as decimal text."""

    kind: QuoteKind
    from_chain: str
    to_chain: str
    fee: str
    gas: int
    gas_price: str
    gas_cost: str
    delivered: Latency | None
    finalized: Latency | None


class Event(TypedDict):
    """Of the stream: which members are there depends on the kind."""

    cursor: int
    time_ms: int
    kind: EventKind
    id: NotRequired[str]
    side: NotRequired[Side]
    state: NotRequired[MessageState]
    request_id: NotRequired[str]
    who: NotRequired[str]
    detail: NotRequired[str]


class EnclaveKey(TypedDict):
    chain: str
    identity: str
    epoch: int
    public_key: str
    gas_address: NotRequired[str]


class SignedStatement(TypedDict):
    kind: int
    signer: str
    receiver: str
    epoch: int
    manifest: int
    root: str
    rx: str
    ry: str
    s: str
    path: list[str]


class EnvelopeMessage(TypedDict):
    id: str
    source: str
    destination: str
    sequence: int
    deadline: int
    min_gas_limit: int
    closer: str
    refund_to: str
    finality: int
    sender: str
    recipient: str
    payload: str


class Envelope(TypedDict):
    """For verify_envelope, or for anybody who delivers it. outcome: 2 delivered, 3 dead."""

    statement: SignedStatement
    message: EnvelopeMessage
    outcome_statement: NotRequired[SignedStatement]
    outcome: NotRequired[int]
    keys: list[EnclaveKey]


class Close(TypedDict):
    id: str
    closer: str | None
    transactions: list[CloseTransaction]


class Enclave(TypedDict):
    """While it does not answer only ready and why are there."""

    ready: bool
    why: str | None
    backend: NotRequired[str]
    build: NotRequired[str]
    version: NotRequired[int]
    schema_digest: NotRequired[str]
    measurement: NotRequired[str]
    manifest_hash: NotRequired[str]
    manifest_number: NotRequired[int]
    lineage: NotRequired[str]
    insecure_flags: NotRequired[int]
    insecure: NotRequired[list[str]]
    rollback_detected_only_within_process: NotRequired[bool]
    time_source: NotRequired[Literal["ledger", "insecure_host_time"]]
    anchor: NotRequired[dict[str, object] | None]
    evidence: NotRequired[str]
    evidence_digest: NotRequired[str]
    keys: NotRequired[list[EnclaveKey]]


class Route(TypedDict):
    remote: str
    identity: str
    peers: list[str]
    epoch: int
    next_epoch: int
    expire_incoming: Literal["absence", "tombstone"]


class Chain(TypedDict):
    """Heights are 0 until something is known; final is the enclave's light client's. Figures of operators are left to them."""

    id: str
    identity: str
    gateway: str
    bridge: str | None
    token: str | None
    finality: str
    insecure: bool
    head: int
    final: int
    final_time_s: int
    frozen: str | None
    routes: list[Route]


class Webhook(TypedDict):
    """state: disabled after too many failures or a 410, orphaned while its API key is gone. secret: where it is shown, once."""

    id: str
    url: str
    owner: str
    types: list[str]
    from_chain: str | None
    to_chain: str | None
    message: str | None
    state: Literal["active", "disabled", "orphaned"]
    why: str | None
    cursor: int
    failures: int
    next_ms: int | None
    secret_number: int
    old_secret_until_ms: int | None
    created_ms: int
    secret: NotRequired[str]


class WebhookBody(TypedDict):
    """type: "message." and the new state, or the kind of another event. timestamp: of the event, RFC 3339 in UTC."""

    type: str
    timestamp: str
    data: Event
