// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Statement} from "./ICaissonGateway.sol";

/// All that a requestId commits to, in the order of its preimage (docs/protocol/oracle.md section 3). The contract keeps
/// the requestId alone: whoever fulfils or refunds brings this back, from the data of `OracleRequested`.
struct Request {
    uint64 counter;
    address asker;
    bytes32 specHash;
    bytes32 argumentsHash;
    bytes32 secretsHash;
    address callback;
    uint64 callbackGas;
    uint256 fee;
    uint64 maxAge;
    uint64 time;
    uint64 deadline;
}

/// What the enclave says about a request. `value` is the ABI encoding of one value where `code` is 0, else empty.
struct Answer {
    Request request;
    uint8 code;
    uint64 observedAt;
    bytes32 evidenceHash;
    bytes value;
}

/// What contracts that ask, and those who bring them answers, call.
interface ICaissonOracle {
    /// `spec` is empty where the asker gave its hash alone.
    event OracleRequested(
        bytes32 indexed requestId, address indexed asker, Request request, bytes spec, string[] arguments, bytes secrets
    );
    event OracleAnswered(
        bytes32 indexed requestId,
        address indexed asker,
        uint8 code,
        uint64 observedAt,
        bytes32 evidenceHash,
        bytes value
    );
    /// The fee went back: after the deadline, or with an answer whose code a host can cause.
    event OracleRefunded(bytes32 indexed requestId, address indexed asker, uint256 fee);
    /// The callback failed, or there is no code; the answer stands all the same.
    event CallbackFailed(bytes32 indexed requestId);

    /// Asks what `spec` (canonical JSON) says. `msg.value` is exactly `quote(bytes of spec, arguments and secrets,
    /// callbackGas)`. `secrets` is sealed to the enclave's key, or empty. `callback` hears the answer by
    /// `ICaissonCallback.onAnswer` with exactly `callbackGas`; zero: nobody, the answer is an event. The observation is at
    /// most `maxAge` seconds old when it is brought; what is not answered before `deadline` (Unix seconds) is refunded.
    function request(
        bytes calldata spec,
        string[] calldata arguments,
        bytes calldata secrets,
        address callback,
        uint64 callbackGas,
        uint64 maxAge,
        uint64 deadline
    ) external payable returns (bytes32 requestId);

    /// The same for a spec whose bytes the oracle has been given over REST.
    function requestByHash(
        bytes32 specHash,
        string[] calldata arguments,
        bytes calldata secrets,
        address callback,
        uint64 callbackGas,
        uint64 maxAge,
        uint64 deadline
    ) external payable returns (bytes32 requestId);

    /// The fee of a request, to the wei.
    function quote(uint256 size, uint64 callbackGas) external view returns (uint256 fee);

    /// Brings answers under one signature of `oracle` (the identity of its enclaves). Items that are late, too old or
    /// answered already are skipped; a batch in which nothing is left to do reverts, and so does a single bad item.
    function fulfil(bytes32 oracle, Statement calldata st, Answer[] calldata answers) external;

    /// From the deadline on, by anyone: the fee goes back to the asker.
    function refund(Request calldata request) external;

    /// Takes out refunds that could not be pushed to the caller.
    function claim(address payable to) external;

    /// status: 0 unknown, 1 open, 2 answered, 3 refunded unanswered; code: of the answer.
    function stateOf(bytes32 requestId) external view returns (uint8 status, uint8 code);
}

/// A contract that wants to hear answers. It must check that `msg.sender` is its oracle and that `asker` is who may ask
/// for it (mostly itself): anyone can name any contract as the callback of a request of their own. What it returns is not
/// looked at, and whether it reverts changes nothing about the answer. `OracleConsumer` does these checks.
interface ICaissonCallback {
    function onAnswer(bytes32 requestId, address asker, uint8 code, uint64 observedAt, bytes calldata value) external;
}
