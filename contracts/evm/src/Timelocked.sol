// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// An owner whose dangerous calls wait in public, and a guardian who can only stop things.
///
/// A delayed function is called in two steps: `schedule` publishes its whole calldata, and after `delay` the owner sends
/// exactly that calldata. A scheduled call that is not made within LIFETIME is void. The guardian may cancel what is
/// scheduled, except a change of guardian: else a stolen guardian key could never be replaced.
abstract contract Timelocked {
    uint256 public constant LIFETIME = 14 days;

    address public owner;
    address public guardian;
    mapping(bytes32 id => uint256) public readyAt;
    uint64 public immutable delay;

    event OwnerChanged(address indexed owner);
    event GuardianChanged(address indexed guardian);
    event OperationScheduled(bytes32 indexed id, bytes operation, uint256 readyAt);
    event OperationCancelled(bytes32 indexed id);
    event OperationExecuted(bytes32 indexed id);

    error NotOwner();
    error NotOwnerOrGuardian();
    error NoOwner();
    error OperationPending();
    error OperationUnknown();
    error OperationEarly(uint256 readyAt);
    error OperationLate();

    constructor(address owner_, address guardian_, uint64 delay_) {
        if (owner_ == address(0)) revert NoOwner();
        owner = owner_;
        guardian = guardian_;
        delay = delay_;
        emit OwnerChanged(owner_);
        emit GuardianChanged(guardian_);
    }

    modifier onlyOwner() {
        _onlyOwner();
        _;
    }

    modifier onlyOwnerOrGuardian() {
        if (msg.sender != owner && msg.sender != guardian) revert NotOwnerOrGuardian();
        _;
    }

    modifier afterDelay() {
        _afterDelay();
        _;
    }

    function schedule(bytes calldata operation) external onlyOwner returns (bytes32 id) {
        id = keccak256(operation);
        uint256 ready = readyAt[id];
        if (ready != 0 && block.timestamp < ready + LIFETIME) revert OperationPending();
        ready = block.timestamp + delay;
        readyAt[id] = ready;
        emit OperationScheduled(id, operation, ready);
    }

    function cancel(bytes calldata operation) external onlyOwnerOrGuardian {
        bool guarded = operation.length >= 4 && bytes4(operation) == this.setGuardian.selector;
        if (guarded && msg.sender != owner) revert NotOwner();
        bytes32 id = keccak256(operation);
        if (readyAt[id] == 0) revert OperationUnknown();
        delete readyAt[id];
        emit OperationCancelled(id);
    }

    function setOwner(address newOwner) external afterDelay {
        if (newOwner == address(0)) revert NoOwner();
        owner = newOwner;
        emit OwnerChanged(newOwner);
    }

    function setGuardian(address newGuardian) external afterDelay {
        guardian = newGuardian;
        emit GuardianChanged(newGuardian);
    }

    function _onlyOwner() internal view {
        if (msg.sender != owner) revert NotOwner();
    }

    /// Spends the scheduled operation that this call's data is.
    function _afterDelay() internal {
        _onlyOwner();
        bytes32 id = keccak256(msg.data);
        uint256 ready = readyAt[id];
        if (ready == 0) revert OperationUnknown();
        if (block.timestamp < ready) revert OperationEarly(ready);
        if (block.timestamp >= ready + LIFETIME) revert OperationLate();
        delete readyAt[id];
        emit OperationExecuted(id);
    }
}
