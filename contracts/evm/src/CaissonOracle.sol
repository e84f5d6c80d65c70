// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Envelope} from "./Envelope.sol";
import {Statement} from "./ICaissonGateway.sol";
import {Answer, ICaissonCallback, ICaissonOracle, Request} from "./ICaissonOracle.sol";
import {KeyRegistry} from "./KeyRegistry.sol";
import {OracleEnvelope} from "./OracleEnvelope.sol";
import {OracleRegistry} from "./OracleRegistry.sol";
import {Pausable} from "./Pausable.sol";
import {Timelocked} from "./Timelocked.sol";

/// Takes requests for data of the web with their fees, and the answers that an oracle's enclaves sign. What is hashed and
/// signed is in docs/protocol/oracle.md. A request ends once: answered before its deadline, or refunded from it on.
///
/// It is not upgradeable. Its balance is what is in escrow for open requests, what is owed to askers, and what the
/// operator earned; only the last can be withdrawn by the owner. It calls a request's callback, an asker with its
/// refund, and nothing else.
contract CaissonOracle is Timelocked, Pausable, KeyRegistry, OracleRegistry, ICaissonOracle {
    /// What a request costs and what it may ask for. `lifetimeMax` 0: closed.
    struct Terms {
        uint96 feeBase;
        uint64 feePerByte;
        uint64 feePerGas;
        uint32 callbackGasMax;
        uint32 lifetimeMin; // seconds from now to the deadline
        uint32 lifetimeMax;
    }

    struct State {
        uint8 status;
        uint8 code;
    }

    uint8 public constant UNKNOWN = 0;
    uint8 public constant OPEN = 1;
    uint8 public constant ANSWERED = 2;
    uint8 public constant REFUNDED = 3;

    uint256 public constant SPEC_MAX = 16384;
    uint256 public constant ARGUMENTS_MAX = 8;
    uint256 public constant ARGUMENT_MAX = 512;
    uint256 public constant SECRETS_MAX = 4144;
    uint256 public constant AGE_MAX = 1 days;

    /// Gas of an asker that is sent its refund. Where it is not enough the refund is claimed.
    uint256 public constant REFUND_GAS = 50_000;

    /// Codes of this range can be caused by whoever runs the oracle, who therefore earns nothing with them.
    uint8 private constant HOST_CODE_FIRST = 16;
    uint8 private constant HOST_CODE_LAST = 31;

    /// What an item needs beside the gas of its calls: the state, three events, cold accounts, the end of the batch.
    uint256 private constant ITEM_RESERVE = 45_000;
    /// What the transfer of a refund costs at most beside REFUND_GAS: value, a new account, a new word of `owed`, an event.
    uint256 private constant REFUND_RESERVE = 62_000;

    uint96 private _feeBase;
    uint64 private _feePerByte;
    uint64 private _feePerGas;
    uint32 private _callbackGasMax;
    // What both requests and answers count, in one slot.
    uint32 private _lifetimeMin;
    uint32 private _lifetimeMax;
    uint64 public counter; // of the last request
    uint128 public earned; // and not withdrawn yet

    mapping(bytes32 requestId => State) private _states;
    mapping(address asker => uint256) public owed;

    event TermsSet(Terms terms);
    event RefundOwed(address indexed asker, uint256 amount);
    event Claimed(address indexed asker, address indexed to, uint256 amount);
    event FeesWithdrawn(address indexed to, uint256 amount);

    error Closed();
    error TermsInvalid();
    error SpecInvalid();
    error ArgumentsInvalid();
    error SecretsInvalid();
    error CallbackInvalid();
    error AgeInvalid();
    error DeadlineInvalid();
    error FeeNotExact(uint256 fee);
    error BatchEmpty();
    error NothingToDo();
    error StatusIs(uint8 status);
    error DeadlinePassed();
    error DeadlineNotReached();
    error ObservedTooEarly();
    error ObservedInFuture();
    error ObservedTooOld();
    error GasTooLow();
    error NothingOwed();
    error NotEarned();
    error TransferFailed();

    /// As of the gateway: `caip2` must name the chain it is deployed on, `insecure` picks the domain tag for ever, delays
    /// in seconds, `rotationDelay_` exceeds `delay_`.
    constructor(
        string memory caip2,
        bytes32 genesisHash,
        address owner_,
        address guardian_,
        uint64 delay_,
        uint64 rotationDelay_,
        uint64 overlap_,
        bool insecure_
    ) Timelocked(owner_, guardian_, delay_) KeyRegistry(caip2, genesisHash, rotationDelay_, overlap_, insecure_) {}

    // --- asking

    function request(
        bytes calldata spec,
        string[] calldata arguments,
        bytes calldata secrets,
        address callback,
        uint64 callbackGas,
        uint64 maxAge,
        uint64 deadline
    ) external payable notPaused returns (bytes32) {
        if (spec.length == 0 || spec.length > SPEC_MAX) revert SpecInvalid();
        bytes32 specHash = OracleEnvelope.specHash(spec);
        return _request(specHash, spec, arguments, secrets, callback, callbackGas, maxAge, deadline);
    }

    function requestByHash(
        bytes32 specHash,
        string[] calldata arguments,
        bytes calldata secrets,
        address callback,
        uint64 callbackGas,
        uint64 maxAge,
        uint64 deadline
    ) external payable notPaused returns (bytes32) {
        if (specHash == 0) revert SpecInvalid();
        return _request(specHash, msg.data[0:0], arguments, secrets, callback, callbackGas, maxAge, deadline);
    }

    function quote(uint256 size, uint64 callbackGas) public view returns (uint256) {
        return _feeBase + uint256(_feePerByte) * size + uint256(_feePerGas) * callbackGas;
    }

    function terms() external view returns (Terms memory) {
        return Terms(_feeBase, _feePerByte, _feePerGas, _callbackGasMax, _lifetimeMin, _lifetimeMax);
    }

    function stateOf(bytes32 requestId) external view returns (uint8 status, uint8 code) {
        State storage state = _states[requestId];
        return (state.status, state.code);
    }

    // --- answering

    /// A callback gets exactly its `callbackGas`, which the fee pays for: one that burns all of it costs no other item its
    /// gas. Where what is left would not cover an item's calls the batch ends, so that nobody can make a callback fail by
    /// bringing little gas.
    function fulfil(bytes32 oracle, Statement calldata st, Answer[] calldata answers) external {
        uint256 count = answers.length;
        if (count == 0) revert BatchEmpty();
        bytes32[] memory ids = new bytes32[](count);
        bytes32[] memory leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            ids[i] = OracleEnvelope.requestId(identity, answers[i].request);
            leaves[i] = OracleEnvelope.leafOfAnswer(ids[i], answers[i]);
        }
        _check(OracleEnvelope.KIND_ANSWER, oracle, st, Envelope.root(leaves));

        uint256 done = 0;
        uint256 fees = 0;
        for (uint256 i = 0; i < count; ++i) {
            Answer calldata answer = answers[i];
            bytes4 refusal = _refusal(_states[ids[i]].status, answer);
            if (refusal != 0) {
                if (count == 1) _revert(refusal, _states[ids[i]].status);
                continue;
            }
            if (gasleft() < _gasFor(answer)) {
                if (done == 0) revert GasTooLow();
                break;
            }
            ++done;
            fees += _settle(ids[i], answer);
        }
        if (done == 0) revert NothingToDo();
        if (fees != 0) earned += uint128(fees);
    }

    // --- not answered

    function refund(Request calldata asked) external {
        bytes32 id = OracleEnvelope.requestId(identity, asked);
        State storage state = _states[id];
        if (state.status != OPEN) revert StatusIs(state.status);
        if (block.timestamp < asked.deadline) revert DeadlineNotReached();
        if (gasleft() < REFUND_GAS + REFUND_GAS / 63 + REFUND_RESERVE) revert GasTooLow();
        state.status = REFUNDED;
        _refund(id, asked.asker, asked.fee);
    }

    function claim(address payable to) external {
        uint256 amount = owed[msg.sender];
        if (amount == 0) revert NothingOwed();
        owed[msg.sender] = 0;
        emit Claimed(msg.sender, to, amount);
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed();
    }

    // --- owner

    /// Opens, changes or (with lifetimeMax 0) closes asking. What was asked is not touched.
    function setTerms(Terms calldata terms_) external onlyOwner {
        if (terms_.lifetimeMax != 0 && (terms_.lifetimeMin == 0 || terms_.lifetimeMin > terms_.lifetimeMax)) {
            revert TermsInvalid();
        }
        (_feeBase, _feePerByte, _feePerGas) = (terms_.feeBase, terms_.feePerByte, terms_.feePerGas);
        (_callbackGasMax, _lifetimeMin, _lifetimeMax) = (terms_.callbackGasMax, terms_.lifetimeMin, terms_.lifetimeMax);
        emit TermsSet(terms_);
    }

    /// Pays out what was earned; what is in escrow or owed is out of reach.
    function withdraw(address payable to, uint128 amount) external onlyOwner {
        if (amount > earned) revert NotEarned();
        earned -= amount;
        emit FeesWithdrawn(to, amount);
        (bool ok,) = to.call{value: amount}("");
        if (!ok) revert TransferFailed();
    }

    // --- internals

    function _request(
        bytes32 specHash,
        bytes calldata spec,
        string[] calldata arguments,
        bytes calldata secrets,
        address callback,
        uint64 callbackGas,
        uint64 maxAge,
        uint64 deadline
    ) private returns (bytes32 id) {
        uint256 lifetimeMax = _lifetimeMax;
        if (lifetimeMax == 0) revert Closed();
        if (deadline < block.timestamp + _lifetimeMin || deadline > block.timestamp + lifetimeMax) {
            revert DeadlineInvalid();
        }
        if (maxAge == 0 || maxAge > AGE_MAX) revert AgeInvalid();
        if (callbackGas > (callback == address(0) ? 0 : _callbackGasMax)) revert CallbackInvalid();
        if (secrets.length > SECRETS_MAX) revert SecretsInvalid();
        uint256 fee = quote(spec.length + _sizeOf(arguments) + secrets.length, callbackGas);
        if (msg.value != fee) revert FeeNotExact(fee);

        Request memory asked = Request({
            counter: ++counter,
            asker: msg.sender,
            specHash: specHash,
            argumentsHash: OracleEnvelope.argumentsHash(arguments),
            secretsHash: secrets.length == 0 ? bytes32(0) : keccak256(secrets),
            callback: callback,
            callbackGas: callbackGas,
            fee: fee,
            maxAge: maxAge,
            time: uint64(block.timestamp),
            deadline: deadline
        });
        id = OracleEnvelope.requestId(identity, asked);
        _states[id].status = OPEN;
        emit OracleRequested(id, msg.sender, asked, spec, arguments, secrets);
    }

    function _sizeOf(string[] calldata arguments) private pure returns (uint256 size) {
        if (arguments.length > ARGUMENTS_MAX) revert ArgumentsInvalid();
        for (uint256 i = 0; i < arguments.length; ++i) {
            if (bytes(arguments[i]).length > ARGUMENT_MAX) revert ArgumentsInvalid();
            size += bytes(arguments[i]).length;
        }
    }

    /// Why an answer cannot be taken now, or 0.
    function _refusal(uint8 status, Answer calldata answer) private view returns (bytes4) {
        if (status != OPEN) return StatusIs.selector;
        Request calldata asked = answer.request;
        (uint256 now_, uint256 observedAt) = (block.timestamp, answer.observedAt);
        if (now_ >= asked.deadline) return DeadlinePassed.selector;
        if (observedAt < asked.time) return ObservedTooEarly.selector;
        if (observedAt > now_) return ObservedInFuture.selector;
        if (now_ - observedAt > asked.maxAge) return ObservedTooOld.selector;
        return 0;
    }

    function _revert(bytes4 refusal, uint8 status) private pure {
        if (refusal == StatusIs.selector) revert StatusIs(status);
        assembly ("memory-safe") {
            mstore(0, refusal)
            revert(0, 4)
        }
    }

    /// Gas that an item must find. Every call gets its gas from 63/64 of what is left.
    function _gasFor(Answer calldata answer) private pure returns (uint256 need) {
        Request calldata asked = answer.request;
        need = uint256(asked.callbackGas) + asked.callbackGas / 63 + ITEM_RESERVE + 12 * answer.value.length;
        if (_isHostCode(answer.code)) need += REFUND_GAS + REFUND_GAS / 63 + REFUND_RESERVE;
    }

    function _isHostCode(uint8 code) private pure returns (bool) {
        return code >= HOST_CODE_FIRST && code <= HOST_CODE_LAST;
    }

    /// Ends a request with its answer: first its state, then the money, then the call. Returns what was earned.
    function _settle(bytes32 id, Answer calldata answer) private returns (uint256 fee) {
        Request calldata asked = answer.request;
        _states[id] = State({status: ANSWERED, code: answer.code});
        emit OracleAnswered(id, asked.asker, answer.code, answer.observedAt, answer.evidenceHash, answer.value);
        fee = asked.fee;
        if (_isHostCode(answer.code)) {
            _refund(id, asked.asker, fee);
            fee = 0;
        }
        if (asked.callback != address(0) && !_tell(id, answer)) emit CallbackFailed(id);
    }

    /// Calls `onAnswer` with exactly its gas and looks at nothing that it returns. `_gasFor` has made sure of that gas
    /// at today's prices; where gas comes to cost more, the whole call reverts instead of giving a callback less.
    function _tell(bytes32 id, Answer calldata answer) private returns (bool ok) {
        address callback = answer.request.callback;
        if (callback.code.length == 0) return false;
        uint256 given = answer.request.callbackGas;
        bytes memory data = abi.encodeCall(
            ICaissonCallback.onAnswer, (id, answer.request.asker, answer.code, answer.observedAt, answer.value)
        );
        if (gasleft() < given + given / 63 + 5_000) revert GasTooLow();
        assembly ("memory-safe") {
            ok := call(given, callback, 0, add(data, 0x20), mload(data), 0, 0)
        }
    }

    /// Sends a fee back, or notes that it is owed.
    function _refund(bytes32 id, address asker, uint256 fee) private {
        emit OracleRefunded(id, asker, fee);
        if (fee == 0) return;
        bool ok;
        assembly ("memory-safe") {
            ok := call(REFUND_GAS, asker, fee, 0, 0, 0, 0)
        }
        if (!ok) {
            owed[asker] += fee;
            emit RefundOwed(asker, fee);
        }
    }
}
