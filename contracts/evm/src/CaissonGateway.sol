// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {Envelope} from "./Envelope.sol";
import {ICaissonGateway, ICaissonOutcome, Message, Outcome, Statement} from "./ICaissonGateway.sol";
import {Interoperable} from "./Interoperable.sol";
import {KeyRegistry} from "./KeyRegistry.sol";
import {Pausable} from "./Pausable.sol";
import {GatewayLayout, RemoteRegistry} from "./RemoteRegistry.sol";
import {Timelocked} from "./Timelocked.sol";

/// ERC-7786 gateway of one EVM chain: sends messages to registered remotes, delivers theirs under their enclaves'
/// signatures, and finalizes what it sent under proven outcomes. Preimages, statuses and proven storage are in
/// docs/protocol/envelope.md. It is not upgradeable and never calls anything but a recipient's `receiveMessage` and a
/// sender's `onOutcome`.
contract CaissonGateway is GatewayLayout, Timelocked, Pausable, KeyRegistry, RemoteRegistry, ICaissonGateway {
    using Interoperable for bytes;

    /// What a sender may ask for on the way to one remote. Lifetimes are seconds from now to the deadline.
    struct Route {
        bool closerAllowed;
        bool refundToAllowed;
        uint8 finalityDefault;
        uint8 finalityMax;
        uint32 payloadMax;
        uint32 lifetimeMin;
        uint32 lifetimeMax; // 0: closed
        uint32 lifetimeDefault;
        uint32 gasMin;
        uint32 gasMax;
        uint32 gasDefault;
        uint128 feeBase;
        uint64 feePerByte;
        uint64 feePerGas;
        bytes32 closerDefault;
    }

    struct Sent {
        address sender;
        uint32 remote;
        uint8 status;
    }

    struct Terms {
        uint64 deadline;
        uint64 minGasLimit;
        uint8 finality;
        bytes32 closer;
        bytes32 refundTo;
    }

    uint8 public constant NONE = 0;
    uint8 public constant FAILED = 1;
    uint8 public constant DELIVERED = 2;
    uint8 public constant DEAD = 3;

    /// Gas of an application's `onOutcome`.
    uint256 public constant OUTCOME_GAS = 150_000;

    /// What the outer frame keeps to write *failed* (a new word: 22,100), to emit it and to leave the loop.
    uint256 private constant OUTER_RESERVE = 32_000;
    /// What the inner frame must have beside the recipient's gas, and what it keeps of it through the call, to judge the
    /// answer and to revert with its verdict.
    uint256 private constant INNER_RESERVE = 6_000;
    uint256 private constant INNER_RESERVE_KEPT = 5_000;

    /// How the inner frame reverts. Whatever else ends it (out of gas before the call) is no verdict on the recipient.
    uint256 private constant VERDICT_REFUSED = 1;
    uint256 private constant VERDICT_GAS = 2;

    bytes4 private constant ATTRIBUTE_DEADLINE = bytes4(keccak256("deadline(uint64)"));
    bytes4 private constant ATTRIBUTE_GAS = bytes4(keccak256("minGasLimit(uint256)"));
    bytes4 private constant ATTRIBUTE_CLOSER = bytes4(keccak256("closer(bytes)"));
    bytes4 private constant ATTRIBUTE_REFUND_TO = bytes4(keccak256("refundTo(address)"));
    bytes4 private constant ATTRIBUTE_FINALITY = bytes4(keccak256("finality(uint8)"));
    uint256 private constant CLOSER_MAX = 64;

    // What no enclave or gateway relays is not sent: it would not arrive, and nobody would prove that it did not.
    /// Longest payload that enclaves and gateways take (CS_PAYLOAD_SIZE_MAX, wire/enclave.proto).
    uint32 public constant PAYLOAD_MAX = 16_384;
    /// A transaction has at most 2^24 gas (EIP-7825). What delivers one message of this `minGasLimit` and the longest payload
    /// has less, with all that gateways bring beside.
    uint32 public constant GAS_MAX = 15_000_000;
    /// What has neither arrived nor failed is taken back from its deadline on. Longer lifetimes are mistaken units.
    uint32 public constant LIFETIME_MAX = 366 days;

    /// ERC-7930 bytes of this chain's accounts before the account itself, left-aligned.
    bytes32 private immutable _prefix;
    uint256 private immutable _prefixSize;

    mapping(bytes32 remote => Route) private _routes;
    mapping(bytes32 messageId => Sent) private _sent;

    event RouteSet(bytes32 indexed remote, Route route);
    event FeesWithdrawn(address indexed to, uint256 amount);
    /// The application's `onOutcome` failed; `outcomeOf` has the outcome all the same.
    event OutcomeRefused(bytes32 indexed messageId);

    error AttributeTwice(bytes4 selector);
    error AttributeInvalid(bytes4 selector);
    error AttributeOutOfBounds(bytes4 selector);
    error RouteClosed();
    error RouteInvalid();
    error PayloadTooLong();
    error FeeNotExact(uint256 fee);
    error BatchEmpty();
    error NothingToDo();
    error DeadlinePassed();
    error DeadlineNotReached();
    error StatusIs(uint8 status);
    error NotCloser();
    error SenderForeign();
    error CallFailed();
    error GasTooLow();
    error OutcomeInvalid();
    error NotSent();
    error OnlySelf();
    error WithdrawFailed();

    /// `caip2` must name the chain it is deployed on. `insecure` picks, for ever, the domain tag of keys made under the
    /// simulated backend. Delays in seconds; `rotationDelay_` must exceed `delay_`.
    constructor(
        string memory caip2,
        bytes32 genesisHash,
        address owner_,
        address guardian_,
        uint64 delay_,
        uint64 rotationDelay_,
        uint64 overlap_,
        bool insecure_
    ) Timelocked(owner_, guardian_, delay_) KeyRegistry(caip2, genesisHash, rotationDelay_, overlap_, insecure_) {
        bytes memory prefix = abi.encodePacked(Interoperable.eip155(block.chainid), uint8(20));
        if (prefix.length > 32) revert WrongChain();
        _prefix = bytes32(prefix);
        _prefixSize = prefix.length;
    }

    // --- source side

    function supportsAttribute(bytes4 selector) external pure returns (bool) {
        return selector == ATTRIBUTE_DEADLINE || selector == ATTRIBUTE_GAS || selector == ATTRIBUTE_CLOSER
            || selector == ATTRIBUTE_REFUND_TO || selector == ATTRIBUTE_FINALITY;
    }

    function quote(bytes calldata recipient, uint256 payloadSize, bytes[] calldata attributes)
        external
        view
        returns (uint256)
    {
        Route storage route = _routes[_remoteOfRecipient(recipient)];
        return _fee(route, payloadSize, _terms(route, payloadSize, attributes).minGasLimit);
    }

    function sendMessage(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
        payable
        notPaused
        returns (bytes32 sendId)
    {
        bytes32 destination = _remoteOfRecipient(recipient);
        Route storage route = _routes[destination];
        Terms memory terms = _terms(route, payload.length, attributes);
        uint256 fee = _fee(route, payload.length, terms.minGasLimit);
        if (msg.value != fee) revert FeeNotExact(fee);

        Outbox storage remote = _outboxes[destination];
        uint64 sequence = remote.sequence + 1;
        remote.sequence = sequence;
        bytes memory sender = _account(msg.sender);
        sendId = Envelope.messageId(
            identity,
            destination,
            sequence,
            keccak256(sender),
            keccak256(recipient),
            keccak256(payload),
            Envelope.attributesHash(terms.minGasLimit, terms.closer, terms.refundTo, terms.finality),
            terms.deadline
        );
        _sent[sendId] = Sent({sender: msg.sender, remote: remote.index, status: NONE});
        emit MessageSent(sendId, sender, recipient, payload, 0, attributes);
        emit MessageCommitted(
            sendId,
            destination,
            sequence,
            terms.deadline,
            terms.minGasLimit,
            terms.closer,
            terms.refundTo,
            terms.finality
        );
    }

    /// Records outcomes and tells the senders. An item that is unknown here or finalized already is skipped; a batch in
    /// which nothing is left to do reverts.
    function finalize(bytes32 destination, Statement calldata st, Outcome[] calldata outcomes) external {
        uint256 count = outcomes.length;
        if (count == 0) revert BatchEmpty();
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) leaves[i] = Envelope.leafOfOutcome(outcomes[i]);
        _check(Envelope.KIND_OUTCOME, destination, st, Envelope.root(leaves));

        uint32 remote = _voices[destination].index;
        uint256 done = 0;
        for (uint256 i = 0; i < count; ++i) {
            (bytes32 id, uint8 status) = (outcomes[i].messageId, outcomes[i].status);
            if (status != DELIVERED && status != DEAD) revert OutcomeInvalid();
            Sent storage sent = _sent[id];
            (address sender, uint32 sentTo, uint8 known) = (sent.sender, sent.remote, sent.status);
            if (sender == address(0) || sentTo != remote) {
                if (count == 1) revert NotSent();
                continue;
            }
            if (known != NONE) {
                if (count == 1) revert StatusIs(known);
                continue;
            }
            if (gasleft() < OUTCOME_GAS + OUTCOME_GAS / 63 + OUTER_RESERVE) {
                if (done == 0) revert GasTooLow();
                break;
            }
            sent.status = status;
            ++done;
            emit MessageFinalized(id, destination, status);
            if (sender.code.length != 0 && !_tell(sender, id, status)) emit OutcomeRefused(id);
        }
        if (done == 0) revert NothingToDo();
    }

    function outcomeOf(bytes32 sendId) external view returns (uint8) {
        return _sent[sendId].status;
    }

    function sentBy(bytes32 sendId) external view returns (address) {
        return _sent[sendId].sender;
    }

    // --- destination side

    /// Delivers what can be delivered: items that are late, were handled before or name a sender of another chain are
    /// skipped, and where the gas left would not cover an item's `minGasLimit` the batch ends. It reverts if nothing was
    /// done. A recipient gets exactly its `minGasLimit`, which is what the fee pays for: one that burns all it has costs
    /// no other item its gas.
    function deliver(bytes32 source, Statement calldata st, Message[] calldata messages) external {
        bytes32[] memory ids = _checkMessages(source, st, messages);
        uint256 count = ids.length;
        uint256 done = 0;
        for (uint256 i = 0; i < count; ++i) {
            Message calldata message = messages[i];
            if (block.timestamp >= message.deadline) {
                if (count == 1) revert DeadlinePassed();
                continue;
            }
            uint8 known = _status(source, message.sequence);
            if (known != NONE) {
                if (count == 1) revert StatusIs(known);
                continue;
            }
            if (!_speaksFor(source, message.sender)) {
                if (count == 1) revert SenderForeign();
                continue;
            }
            uint256 verdict = _attempt(source, ids[i], message, false);
            if (verdict == VERDICT_GAS) {
                if (done == 0) revert GasTooLow();
                break;
            }
            ++done;
            if (verdict == VERDICT_REFUSED) {
                _setStatus(source, message.sequence, FAILED);
                emit MessageStatus(ids[i], source, message.sequence, FAILED);
            } else {
                emit MessageStatus(ids[i], source, message.sequence, DELIVERED);
            }
        }
        if (done == 0) revert NothingToDo();
    }

    /// Calls the recipient of a failed message again, with all the gas there is; reverts unless it succeeds.
    function retry(bytes32 source, Statement calldata st, Message calldata message) external {
        bytes32 id = _checkMessage(source, st, message);
        if (block.timestamp >= message.deadline) revert DeadlinePassed();
        uint8 known = _status(source, message.sequence);
        if (known != FAILED) revert StatusIs(known);
        if (!_speaksFor(source, message.sender)) revert SenderForeign();
        uint256 verdict = _attempt(source, id, message, true);
        if (verdict == VERDICT_GAS) revert GasTooLow();
        if (verdict == VERDICT_REFUSED) revert CallFailed();
        emit MessageStatus(id, source, message.sequence, DELIVERED);
    }

    /// Gives a failed message up before its deadline; only its closer may.
    function close(bytes32 source, Statement calldata st, Message calldata message) external {
        bytes32 id = _checkMessage(source, st, message);
        if (message.closer != Envelope.word(msg.sender)) revert NotCloser();
        if (block.timestamp >= message.deadline) revert DeadlinePassed();
        uint8 known = _status(source, message.sequence);
        if (known != FAILED) revert StatusIs(known);
        _setStatus(source, message.sequence, DEAD);
        emit MessageStatus(id, source, message.sequence, DEAD);
    }

    /// From the deadline on, anyone turns what was not delivered into *dead*.
    function expire(bytes32 source, Statement calldata st, Message[] calldata messages) external {
        bytes32[] memory ids = _checkMessages(source, st, messages);
        uint256 count = ids.length;
        uint256 done = 0;
        for (uint256 i = 0; i < count; ++i) {
            Message calldata message = messages[i];
            if (block.timestamp < message.deadline) {
                if (count == 1) revert DeadlineNotReached();
                continue;
            }
            uint8 known = _status(source, message.sequence);
            if (known == DELIVERED || known == DEAD) {
                if (count == 1) revert StatusIs(known);
                continue;
            }
            ++done;
            _setStatus(source, message.sequence, DEAD);
            emit MessageStatus(ids[i], source, message.sequence, DEAD);
        }
        if (done == 0) revert NothingToDo();
    }

    function statusOf(bytes32 source, uint64 sequence) external view returns (uint8) {
        return _status(source, sequence);
    }

    /// The frame around a recipient's call: *delivered* is written first, so that no re-entry finds the message open,
    /// and everything in it is undone unless the recipient has code and returns exactly the magic value.
    function deliverFrame(
        bytes32 source,
        uint64 sequence,
        uint256 minGasLimit,
        bool allGas,
        address recipient,
        bytes32 receiveId,
        bytes calldata sender,
        bytes calldata payload
    ) external {
        if (msg.sender != address(this)) revert OnlySelf();
        _setStatus(source, sequence, DELIVERED);
        bytes memory data = abi.encodeCall(IERC7786Recipient.receiveMessage, (receiveId, sender, payload));
        uint256 verdict = 0;
        bytes32 magic = bytes32(IERC7786Recipient.receiveMessage.selector);
        assembly ("memory-safe") {
            switch extcodesize(recipient)
            case 0 { verdict := VERDICT_REFUSED }
            default {
                // All but one 64th of what is left covers minGasLimit, and the reserve is kept besides.
                switch lt(gas(), add(add(minGasLimit, div(minGasLimit, 63)), INNER_RESERVE))
                case 1 { verdict := VERDICT_GAS }
                default {
                    let given := minGasLimit
                    if allGas { given := sub(gas(), INNER_RESERVE_KEPT) }
                    let ok := call(given, recipient, 0, add(data, 0x20), mload(data), 0, 0x20)
                    ok := and(ok, and(gt(returndatasize(), 0x1f), eq(mload(0), magic)))
                    if iszero(ok) { verdict := VERDICT_REFUSED }
                }
            }
            if verdict {
                mstore(0, verdict)
                revert(0, 0x20)
            }
        }
    }

    // --- owner

    /// Opens, changes or (with lifetimeMax 0) closes the way to a remote. What was sent is not touched.
    function setRoute(bytes32 remote, Route calldata route) external onlyOwner {
        _remote(remote);
        if (route.lifetimeMax != 0) {
            if (route.lifetimeMin == 0 || route.lifetimeMin > route.lifetimeDefault) revert RouteInvalid();
            if (route.lifetimeDefault > route.lifetimeMax || route.lifetimeMax > LIFETIME_MAX) revert RouteInvalid();
            if (route.payloadMax > PAYLOAD_MAX || route.gasMax > GAS_MAX) revert RouteInvalid();
            if (route.gasMin > route.gasDefault || route.gasDefault > route.gasMax) revert RouteInvalid();
            if (route.finalityDefault > route.finalityMax || route.finalityMax == 255) revert RouteInvalid();
        }
        _routes[remote] = route;
        emit RouteSet(remote, route);
    }

    function routeOf(bytes32 remote) external view returns (Route memory) {
        return _routes[remote];
    }

    /// Pays out fees. The balance holds nothing else.
    function withdraw(address payable to, uint256 amount) external onlyOwner {
        emit FeesWithdrawn(to, amount);
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert WithdrawFailed();
    }

    // --- internals

    function _remoteOfRecipient(bytes calldata recipient) private view returns (bytes32 remote) {
        (bytes calldata chain, bytes calldata account) = recipient.split();
        remote = _remoteOfChain[keccak256(chain)];
        if (remote == 0) revert RemoteUnknown();
        if (account.length == 0) revert Interoperable.BadInteroperableAddress();
    }

    function _fee(Route storage route, uint256 payloadSize, uint256 minGasLimit) private view returns (uint256) {
        return route.feeBase + route.feePerByte * payloadSize + route.feePerGas * minGasLimit;
    }

    /// The route's defaults, overridden by attributes within its bounds.
    function _terms(Route storage route, uint256 payloadSize, bytes[] calldata attributes)
        private
        view
        returns (Terms memory terms)
    {
        uint256 lifetimeMax = route.lifetimeMax;
        if (lifetimeMax == 0) revert RouteClosed();
        if (payloadSize > route.payloadMax) revert PayloadTooLong();
        terms.deadline = uint64(block.timestamp) + route.lifetimeDefault;
        terms.minGasLimit = route.gasDefault;
        terms.finality = route.finalityDefault;

        uint256 seen = 0;
        for (uint256 i = 0; i < attributes.length; ++i) {
            bytes calldata attribute = attributes[i];
            bytes4 selector = attribute.length < 4 ? bytes4(0) : bytes4(attribute);
            uint256 bit;
            if (selector == ATTRIBUTE_CLOSER) {
                bit = 1;
                if (!route.closerAllowed) revert AttributeOutOfBounds(selector);
                terms.closer = _closer(attribute);
            } else {
                uint256 value = attribute.length == 36 ? uint256(bytes32(attribute[4:])) : 0;
                bool within;
                if (selector == ATTRIBUTE_DEADLINE) {
                    bit = 2;
                    within = value >= block.timestamp + route.lifetimeMin && value <= block.timestamp + lifetimeMax;
                    terms.deadline = uint64(value);
                } else if (selector == ATTRIBUTE_GAS) {
                    bit = 4;
                    within = value >= route.gasMin && value <= route.gasMax;
                    terms.minGasLimit = uint64(value);
                } else if (selector == ATTRIBUTE_REFUND_TO) {
                    bit = 8;
                    within = route.refundToAllowed && value != 0 && value <= type(uint160).max;
                    terms.refundTo = bytes32(value);
                } else if (selector == ATTRIBUTE_FINALITY) {
                    bit = 16;
                    within = value <= route.finalityMax;
                    terms.finality = uint8(value);
                } else {
                    revert UnsupportedAttribute(selector);
                }
                if (attribute.length != 36) revert AttributeInvalid(selector);
                if (!within) revert AttributeOutOfBounds(selector);
            }
            if (seen & bit != 0) revert AttributeTwice(selector);
            seen |= bit;
        }
        if (seen & 1 == 0) terms.closer = route.closerDefault;
    }

    /// `closer(bytes)`: the raw address of the account on the destination, canonically encoded.
    function _closer(bytes calldata attribute) private pure returns (bytes32) {
        if (attribute.length < 100 || uint256(bytes32(attribute[4:36])) != 32) revert AttributeInvalid(ATTRIBUTE_CLOSER);
        uint256 size = uint256(bytes32(attribute[36:68]));
        if (size == 0 || size > CLOSER_MAX) revert AttributeInvalid(ATTRIBUTE_CLOSER);
        bytes memory canonical = abi.encodeWithSelector(ATTRIBUTE_CLOSER, attribute[68:68 + size]);
        if (keccak256(canonical) != keccak256(attribute)) revert AttributeInvalid(ATTRIBUTE_CLOSER);
        return Envelope.word(attribute[68:68 + size]);
    }

    /// ERC-7930 bytes of an account of this chain.
    function _account(address account) private view returns (bytes memory raw) {
        (bytes32 prefix, uint256 size) = (_prefix, _prefixSize);
        raw = new bytes(size + 20);
        assembly ("memory-safe") {
            mstore(add(raw, 0x20), prefix)
            // The last 12 bytes of this word are beyond the array: padding or free memory, left as they are.
            let place := add(add(raw, 0x20), size)
            let tail := and(mload(place), 0xffffffffffffffffffffffff)
            mstore(place, or(shl(96, account), tail))
        }
    }

    function _checkMessage(bytes32 source, Statement calldata st, Message calldata message)
        private
        view
        returns (bytes32 id)
    {
        id = _messageId(source, message);
        _check(Envelope.KIND_MESSAGE, source, st, Envelope.leafOfMessage(id));
    }

    function _checkMessages(bytes32 source, Statement calldata st, Message[] calldata messages)
        private
        view
        returns (bytes32[] memory ids)
    {
        uint256 count = messages.length;
        if (count == 0) revert BatchEmpty();
        ids = new bytes32[](count);
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            ids[i] = _messageId(source, messages[i]);
            leaves[i] = Envelope.leafOfMessage(ids[i]);
        }
        _check(Envelope.KIND_MESSAGE, source, st, Envelope.root(leaves));
    }

    function _messageId(bytes32 source, Message calldata message) private view returns (bytes32) {
        return Envelope.messageId(
            source,
            identity,
            message.sequence,
            keccak256(message.sender),
            keccak256(_account(message.recipient)),
            keccak256(message.payload),
            Envelope.attributesHash(message.minGasLimit, message.closer, message.refundTo, message.finality),
            message.deadline
        );
    }

    /// Runs the frame. VERDICT_GAS says nothing about the recipient: whoever submits must bring more gas.
    function _attempt(bytes32 source, bytes32 id, Message calldata message, bool allGas)
        private
        returns (uint256 verdict)
    {
        bytes memory data = abi.encodeCall(
            this.deliverFrame,
            (
                source,
                message.sequence,
                message.minGasLimit,
                allGas,
                message.recipient,
                id,
                message.sender,
                message.payload
            )
        );
        assembly ("memory-safe") {
            verdict := VERDICT_GAS
            if gt(gas(), OUTER_RESERVE) {
                switch call(sub(gas(), OUTER_RESERVE), address(), 0, add(data, 0x20), mload(data), 0, 0x20)
                case 1 { verdict := 0 }
                default {
                    if eq(returndatasize(), 0x20) { verdict := mload(0) }
                }
            }
        }
    }

    /// Calls `onOutcome` with its bounded gas and looks at nothing that it returns.
    function _tell(address sender, bytes32 id, uint8 status) private returns (bool ok) {
        bytes memory data = abi.encodeCall(ICaissonOutcome.onOutcome, (id, status));
        assembly ("memory-safe") {
            ok := call(OUTCOME_GAS, sender, 0, add(data, 0x20), mload(data), 0, 0)
        }
    }

    function _status(bytes32 source, uint64 sequence) private view returns (uint8) {
        return uint8((_statuses[source][sequence >> 7] >> (2 * (sequence & 127))) & 3);
    }

    /// Every transition sets bits only (none 00, failed 01, dead 11) but failed to delivered (01 to 10).
    function _setStatus(bytes32 source, uint64 sequence, uint8 status) private {
        uint256 shift = 2 * (sequence & 127);
        uint256 fields = _statuses[source][sequence >> 7];
        _statuses[source][sequence >> 7] = (fields & ~(uint256(3) << shift)) | (uint256(status) << shift);
    }
}
