// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {ICaissonGateway, ICaissonOutcome} from "../src/ICaissonGateway.sol";

/// Remembers what it got; refuses while told to. It also sends, and hears the outcomes.
contract SampleApp is IERC7786Recipient, ICaissonOutcome {
    ICaissonGateway public immutable gateway;
    bool public failing;
    uint256 public received;
    bytes32 public lastId;
    bytes public lastSender;
    bytes public lastPayload;
    mapping(bytes32 => uint8) public outcomes;

    event Received(bytes32 indexed receiveId, bytes sender, bytes payload);

    error Refused();

    constructor(ICaissonGateway gateway_) {
        gateway = gateway_;
    }

    function setFailing(bool on) external {
        failing = on;
    }

    function send(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
        payable
        returns (bytes32)
    {
        return gateway.sendMessage{value: msg.value}(recipient, payload, attributes);
    }

    /// All in one transaction, and so in one receipt.
    function sendMany(uint256 count, bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
    {
        for (uint256 i = 0; i < count; ++i) gateway.sendMessage(recipient, payload, attributes);
    }

    function receiveMessage(bytes32 receiveId, bytes calldata sender, bytes calldata payload)
        external
        payable
        returns (bytes4)
    {
        require(msg.sender == address(gateway), "gateway");
        if (failing) revert Refused();
        ++received;
        lastId = receiveId;
        lastSender = sender;
        lastPayload = payload;
        emit Received(receiveId, sender, payload);
        return IERC7786Recipient.receiveMessage.selector;
    }

    function onOutcome(bytes32 sendId, uint8 status) external {
        require(msg.sender == address(gateway), "gateway");
        outcomes[sendId] = status;
    }
}

/// Takes everything and does nothing: for measuring what the gateway itself costs.
contract NullRecipient {
    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        return IERC7786Recipient.receiveMessage.selector;
    }
}

/// Misbehaves as it is told, after it has written to its storage.
contract HostileRecipient {
    enum Mode {
        WRONG_VALUE, // returns another word
        DIRTY_VALUE, // the magic value with a bit set behind it
        SHORT_VALUE, // 4 bytes
        NO_VALUE,
        LONG_VALUE, // the magic value and much behind it
        RETURN_BOMB,
        REVERT_BOMB,
        INVALID, // burns all gas
        CALL_BACK, // calls `target` with `data`, then succeeds
        USE_GAS, // succeeds if it got at least `gasWanted`
        CALL_BACK_FAIL // calls `target` with `data`, then returns nothing good
    }

    Mode public mode;
    uint256 public effects;
    uint256 public gasSeen;
    uint256 public gasWanted;
    address public target;
    bytes public data;
    bool public callSucceeded;
    bytes public callResult;

    function set(Mode mode_, uint256 gasWanted_, address target_, bytes calldata data_) external {
        (mode, gasWanted, target, data) = (mode_, gasWanted_, target_, data_);
    }

    function receiveMessage(bytes32, bytes calldata, bytes calldata) external payable returns (bytes4) {
        uint256 got = gasleft();
        Mode how = mode;
        if (how == Mode.USE_GAS) {
            require(got >= gasWanted, "gas");
            gasSeen = got;
            return IERC7786Recipient.receiveMessage.selector;
        }
        ++effects;
        bytes32 magic = bytes32(IERC7786Recipient.receiveMessage.selector);
        assembly {
            mstore(0, magic)
            mstore(0x20, 0)
            switch how
            case 0 {
                mstore(0, not(magic))
                return(0, 0x20)
            }
            case 1 {
                mstore(0, or(magic, 1))
                return(0, 0x20)
            }
            case 2 { return(0, 4) }
            case 3 { return(0, 0) }
            case 4 { return(0, 0x400) }
            case 5 { return(0, 1000000) }
            case 6 { revert(0, 1000000) }
            case 7 { invalid() }
        }
        (callSucceeded, callResult) = target.call(data);
        return how == Mode.CALL_BACK ? IERC7786Recipient.receiveMessage.selector : bytes4(0);
    }

    /// For what only a closer may do.
    function run(address target_, bytes calldata data_) external returns (bool ok) {
        (ok,) = target_.call(data_);
        require(ok, "call");
    }
}

/// Sends, and takes its outcomes badly.
contract HostileSender {
    uint256 public mode;
    ICaissonGateway public immutable gateway;

    constructor(ICaissonGateway gateway_) {
        gateway = gateway_;
    }

    function set(uint256 mode_) external {
        mode = mode_;
    }

    function send(bytes calldata recipient, bytes calldata payload, bytes[] calldata attributes)
        external
        payable
        returns (bytes32)
    {
        return gateway.sendMessage{value: msg.value}(recipient, payload, attributes);
    }

    function onOutcome(bytes32, uint8) external view {
        uint256 got = gasleft();
        uint256 how = mode;
        require(how != 4 || got > 149_000, "gas");
        assembly {
            if eq(how, 1) { revert(0, 100000) }
            if eq(how, 2) { invalid() }
            if eq(how, 3) { return(0, 100000) }
        }
    }
}

/// Runs several calls in one transaction and remembers which succeeded.
contract Sequencer {
    event Ran(uint256 index, bool ok, bytes result);

    function run(address target, bytes[] calldata calls) external {
        for (uint256 i = 0; i < calls.length; ++i) {
            (bool ok, bytes memory result) = target.call(calls[i]);
            emit Ran(i, ok, result);
        }
    }
}
