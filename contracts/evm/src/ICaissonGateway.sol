// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786GatewaySource} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";

/// A signature of a remote's enclave over the root of a batch, and the path from what the call carries up to that root.
struct Statement {
    uint64 epoch;
    uint64 manifest;
    uint256 rx;
    uint256 ry;
    uint256 s;
    bytes32[] path;
}

/// What the destination needs to compute a messageId. `sender` is ERC-7930, `recipient` an account of this chain.
struct Message {
    uint64 sequence;
    uint64 deadline;
    uint64 minGasLimit;
    uint8 finality;
    bytes32 closer;
    bytes32 refundTo;
    address recipient;
    bytes sender;
    bytes payload;
}

struct Outcome {
    bytes32 messageId;
    uint8 status;
}

/// What applications and relayers call. Preimages, statuses and storage: docs/protocol/envelope.md.
interface ICaissonGateway is IERC7786GatewaySource {
    event MessageCommitted(
        bytes32 indexed messageId,
        bytes32 indexed destination,
        uint64 sequence,
        uint64 deadline,
        uint64 minGasLimit,
        bytes32 closer,
        bytes32 refundTo,
        uint8 finality
    );
    event MessageStatus(bytes32 indexed messageId, bytes32 indexed source, uint64 sequence, uint8 status);
    event MessageFinalized(bytes32 indexed messageId, bytes32 indexed destination, uint8 status);

    /// The fee of a message, to the wei. Reverts as `sendMessage` would.
    function quote(bytes calldata recipient, uint256 payloadSize, bytes[] calldata attributes)
        external
        view
        returns (uint256 fee);

    function deliver(bytes32 source, Statement calldata st, Message[] calldata messages) external;
    function retry(bytes32 source, Statement calldata st, Message calldata message) external;
    function close(bytes32 source, Statement calldata st, Message calldata message) external;
    function expire(bytes32 source, Statement calldata st, Message[] calldata messages) external;
    function finalize(bytes32 destination, Statement calldata st, Outcome[] calldata outcomes) external;

    /// 0 none, 1 failed, 2 delivered, 3 dead: of a message that arrives here.
    function statusOf(bytes32 source, uint64 sequence) external view returns (uint8);

    /// 0 not finalized, 2 delivered, 3 dead: of a message that was sent here.
    function outcomeOf(bytes32 sendId) external view returns (uint8);
}

/// An application that wants to hear the outcome of what it sent. The call has bounded gas and may fail without
/// consequence: `ICaissonGateway.outcomeOf` has the same answer for ever.
interface ICaissonOutcome {
    function onOutcome(bytes32 sendId, uint8 status) external;
}
