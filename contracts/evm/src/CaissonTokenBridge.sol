// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC7786Recipient} from "@openzeppelin/contracts/interfaces/draft-IERC7786.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuard} from "@openzeppelin/contracts/utils/ReentrancyGuard.sol";
import {CaissonWrappedToken} from "./CaissonWrappedToken.sol";
import {Envelope} from "./Envelope.sol";
import {ICaissonGateway, ICaissonOutcome} from "./ICaissonGateway.sol";
import {Interoperable} from "./Interoperable.sol";
import {Pausable} from "./Pausable.sol";
import {Timelocked} from "./Timelocked.sol";

/// Token transfers over messages: a token is locked at home and minted abroad, burned abroad and released at home.
///
/// Payload of a transfer, four words: TAG("caisson/transfer/v1"), token on the destination, amount, recipient on the
/// destination (raw addresses as words). What was sent stays pending under its sendId until the gateway has a proven
/// outcome: *delivered* closes it, *dead* refunds it.
///
/// Value: of a locked token, at most what was locked towards a chain can come back from it, so that a forged message of
/// one chain cannot spend another's. A minted token has one home chain. Caps bound the net flow per token and window in
/// both directions; refunds count but are never stopped by them.
contract CaissonTokenBridge is Timelocked, Pausable, ReentrancyGuard, IERC7786Recipient, ICaissonOutcome {
    using Interoperable for bytes;
    using SafeERC20 for IERC20;

    enum Mode {
        NONE,
        LOCK,
        MINT
    }

    struct Token {
        Mode mode;
        uint32 index; // from 1
        uint32 home; // chain of a minted token
    }

    /// Most that may come in (mint, release) and go out (lock, burn), net, in one window.
    struct Cap {
        uint128 amountIn;
        uint128 amountOut;
    }

    /// Net amount that came in, in this window.
    struct Flow {
        uint64 window;
        int192 net;
    }

    struct Pending {
        address refundTo;
        uint32 token;
        uint32 chain;
        uint256 amount;
    }

    uint8 private constant DELIVERED = 2;
    uint8 private constant DEAD = 3;
    bytes32 private constant TAG_TRANSFER = keccak256("caisson/transfer/v1");
    bytes4 private constant ATTRIBUTE_REFUND_TO = bytes4(keccak256("refundTo(address)"));
    uint256 private constant PAYLOAD_SIZE = 4 * 32;

    ICaissonGateway public immutable gateway;
    uint64 public immutable window;

    uint32 public chainCount;
    uint32 public tokenCount;
    mapping(bytes32 chainHash => uint32) private _chains;
    mapping(bytes32 peerHash => uint32 chain) private _chainOfPeer;
    mapping(uint32 chain => bytes) private _peers;
    mapping(uint32 index => address) private _tokenAt;
    mapping(address token => Token) public tokens;
    mapping(address token => mapping(uint32 chain => bytes32)) private _remoteToken;
    mapping(uint32 chain => mapping(bytes32 remoteToken => address)) private _tokenOfRemote;
    mapping(address token => mapping(uint32 chain => uint256)) private _locked;
    mapping(address token => Cap) public caps;
    mapping(address token => Flow) private _flows;
    mapping(bytes32 sendId => Pending) private _pending;
    mapping(address token => mapping(address account => uint256)) public claimable;

    event PeerAdded(uint32 indexed chain, bytes peer);
    event TokenAdded(address indexed token, uint32 indexed chain, bytes32 remoteToken, Mode mode);
    event CapSet(address indexed token, uint128 amountIn, uint128 amountOut);
    event TransferSent(
        bytes32 indexed sendId, address indexed token, address indexed from, bytes recipient, uint256 amount, address refundTo
    );
    event TransferReceived(bytes32 indexed receiveId, address indexed token, address indexed to, uint256 amount);
    event TransferCompleted(bytes32 indexed sendId);
    event TransferRefunded(bytes32 indexed sendId, address indexed token, address indexed to, uint256 amount, bool pushed);
    event Claimed(address indexed token, address indexed account, address to, uint256 amount);

    error OnlyGateway();
    error OnlySelf();
    error ChainUnknown();
    error PeerKnown();
    error PeerUnknown();
    error TokenUnknown();
    error TokenKnown();
    error TokenModeMismatch();
    error AmountInvalid();
    error RecipientInvalid();
    error PayloadInvalid();
    error ValueUnexpected();
    error AmountNotReceived(uint256 received);
    error AmountNotPaid(uint256 paid);
    error LockedTooLittle();
    error CapExceeded();
    error CapNotLower();
    error WindowInvalid();
    error NotFinal();
    error NotPending();
    error NothingToClaim();

    constructor(ICaissonGateway gateway_, address owner_, address guardian_, uint64 delay_, uint64 window_)
        Timelocked(owner_, guardian_, delay_)
    {
        if (window_ == 0) revert WindowInvalid();
        gateway = gateway_;
        window = window_;
    }

    // --- source side

    /// Sends `amount` of `token` to `recipient` (ERC-7930, on a chain with a peer). Attributes are the gateway's, but
    /// for `refundTo`, which is the argument (zero: the caller). `msg.value` is the gateway's fee, exactly.
    function transfer(
        address token,
        uint256 amount,
        bytes calldata recipient,
        address refundTo,
        bytes[] calldata attributes
    ) external payable nonReentrant notPaused returns (bytes32 sendId) {
        if (refundTo == address(0)) refundTo = msg.sender;
        uint32 chain;
        bytes memory payload;
        (chain, payload) = _payload(token, amount, recipient);
        _take(token, chain, amount);
        sendId = gateway.sendMessage{value: msg.value}(_peers[chain], payload, _withRefund(attributes, refundTo));
        _pending[sendId] = Pending({refundTo: refundTo, token: tokens[token].index, chain: chain, amount: amount});
        emit TransferSent(sendId, token, msg.sender, recipient, amount, refundTo);
    }

    /// The fee of a transfer to the chain of `recipient`. Who asks and who is refunded do not matter.
    function quote(bytes calldata recipient, bytes[] calldata attributes) external view returns (uint256) {
        (uint32 chain,) = _chainOf(recipient);
        return gateway.quote(_peers[chain], PAYLOAD_SIZE, _withRefund(attributes, address(this)));
    }

    function onOutcome(bytes32 sendId, uint8 status) external {
        if (msg.sender != address(gateway)) revert OnlyGateway();
        _settle(sendId, status);
    }

    /// Does what `onOutcome` should have done, from the gateway's record. Anyone may call it.
    function settle(bytes32 sendId) external {
        _settle(sendId, gateway.outcomeOf(sendId));
    }

    /// Takes out a refund that could not be pushed.
    function claim(address token, address to) external {
        uint256 amount = claimable[token][msg.sender];
        if (amount == 0) revert NothingToClaim();
        claimable[token][msg.sender] = 0;
        _pay(token, to, amount);
        emit Claimed(token, msg.sender, to, amount);
    }

    function pendingOf(bytes32 sendId) external view returns (address token, uint256 amount, address refundTo) {
        Pending storage pending = _pending[sendId];
        return (_tokenAt[pending.token], pending.amount, pending.refundTo);
    }

    // --- destination side

    function receiveMessage(bytes32 receiveId, bytes calldata sender, bytes calldata payload)
        external
        payable
        returns (bytes4)
    {
        if (msg.sender != address(gateway)) revert OnlyGateway();
        if (msg.value != 0) revert ValueUnexpected();
        uint32 chain = _chainOfPeer[keccak256(sender)];
        if (chain == 0) revert PeerUnknown();
        if (payload.length != PAYLOAD_SIZE || bytes32(payload) != TAG_TRANSFER) revert PayloadInvalid();
        (address token, uint256 amount, address to) = abi.decode(payload[32:], (address, uint256, address));
        if (_remoteToken[token][chain] == 0) revert TokenUnknown();
        if (amount == 0 || amount > type(uint128).max) revert AmountInvalid();
        if (to == address(this)) revert RecipientInvalid();
        if (_moveFlow(token, int256(amount)) > int256(uint256(caps[token].amountIn))) revert CapExceeded();
        _give(token, chain, to, amount);
        emit TransferReceived(receiveId, token, to, amount);
        return IERC7786Recipient.receiveMessage.selector;
    }

    // --- owner

    /// Names the bridge of another chain, once and for ever.
    function addPeer(bytes calldata peer) external onlyOwner returns (uint32 chain) {
        (bytes calldata prefix, bytes calldata account) = peer.split();
        bytes32 chainHash = keccak256(prefix);
        if (account.length == 0) revert RecipientInvalid();
        if (_chains[chainHash] != 0) revert PeerKnown();
        chain = ++chainCount;
        _chains[chainHash] = chain;
        _chainOfPeer[keccak256(peer)] = chain;
        _peers[chain] = peer;
        emit PeerAdded(chain, peer);
    }

    /// Opens a token towards one chain, once and for ever. A token that is locked here may go to many chains; one that
    /// is minted here has one home. A token of the other chain has one token here: a second, worthless one would come
    /// out there as the first, and go home as it. The caps of a token that is new here are zero: see `setCap`.
    function addToken(address token, bytes calldata chain, bytes32 remoteToken, Mode mode) external onlyOwner {
        (bytes calldata prefix,) = chain.split();
        uint32 to = _chains[keccak256(prefix)];
        if (to == 0) revert ChainUnknown();
        if (mode == Mode.NONE || token == address(0) || remoteToken == 0) revert TokenModeMismatch();
        Token storage entry = tokens[token];
        if (entry.mode == Mode.NONE) {
            uint32 index = ++tokenCount;
            tokens[token] = Token({mode: mode, index: index, home: mode == Mode.MINT ? to : 0});
            _tokenAt[index] = token;
        } else if (entry.mode != mode || mode == Mode.MINT) {
            revert TokenModeMismatch();
        }
        if (_remoteToken[token][to] != 0 || _tokenOfRemote[to][remoteToken] != address(0)) revert TokenKnown();
        _remoteToken[token][to] = remoteToken;
        _tokenOfRemote[to][remoteToken] = token;
        emit TokenAdded(token, to, remoteToken, mode);
    }

    /// The first caps of a token are set at once, any later ones after the delay.
    function setCap(address token, uint128 amountIn, uint128 amountOut) external {
        if (tokens[token].mode == Mode.NONE) revert TokenUnknown();
        if (_flows[token].window == 0) {
            _onlyOwner();
            _flows[token].window = _windowNow();
        } else {
            _afterDelay();
        }
        _setCap(token, amountIn, amountOut);
    }

    /// Lowers caps at once; zero stops new flow, but no refund.
    function lowerCap(address token, uint128 amountIn, uint128 amountOut) external onlyOwnerOrGuardian {
        Cap storage cap = caps[token];
        if (amountIn > cap.amountIn || amountOut > cap.amountOut) revert CapNotLower();
        _setCap(token, amountIn, amountOut);
    }

    function peerOf(bytes calldata chain) external view returns (bytes memory) {
        (uint32 index,) = _chainOf(chain);
        return _peers[index];
    }

    function remoteTokenOf(address token, bytes calldata chain) external view returns (bytes32) {
        (uint32 index,) = _chainOf(chain);
        return _remoteToken[token][index];
    }

    function lockedOf(address token, bytes calldata chain) external view returns (uint256) {
        (uint32 index,) = _chainOf(chain);
        return _locked[token][index];
    }

    /// Net amount that came in during the present window; negative: went out.
    function flowOf(address token) external view returns (int256) {
        Flow storage flow = _flows[token];
        return flow.window == _windowNow() ? flow.net : int256(0);
    }

    // --- internals

    /// Pays out of the lock in a frame of its own, so that a token that fails leaves nothing behind.
    function payFrame(address token, address to, uint256 amount) external {
        if (msg.sender != address(this)) revert OnlySelf();
        _pay(token, to, amount);
    }

    function _payload(address token, uint256 amount, bytes calldata recipient)
        private
        view
        returns (uint32 chain, bytes memory payload)
    {
        bytes calldata account;
        (chain, account) = _chainOf(recipient);
        if (account.length == 0) revert RecipientInvalid();
        if (amount == 0 || amount > type(uint128).max) revert AmountInvalid();
        bytes32 remoteToken = _remoteToken[token][chain];
        if (remoteToken == 0) revert TokenUnknown();
        payload = abi.encode(TAG_TRANSFER, remoteToken, amount, Envelope.word(account));
    }

    /// A token that pays less than it says, or more, is refused.
    function _take(address token, uint32 chain, uint256 amount) private {
        if (_moveFlow(token, -int256(amount)) < -int256(uint256(caps[token].amountOut))) revert CapExceeded();
        if (tokens[token].mode == Mode.MINT) {
            CaissonWrappedToken(token).burn(msg.sender, amount);
            return;
        }
        _locked[token][chain] += amount;
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert AmountNotReceived(received);
    }

    function _give(address token, uint32 chain, address to, uint256 amount) private {
        if (tokens[token].mode == Mode.MINT) {
            CaissonWrappedToken(token).mint(to, amount);
            return;
        }
        _unlock(token, chain, amount);
        _pay(token, to, amount);
    }

    function _unlock(address token, uint32 chain, uint256 amount) private {
        uint256 locked = _locked[token][chain];
        if (locked < amount) revert LockedTooLittle();
        _locked[token][chain] = locked - amount;
    }

    function _pay(address token, address to, uint256 amount) private {
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransfer(to, amount);
        uint256 left = IERC20(token).balanceOf(address(this));
        if (left > before || before - left != amount) revert AmountNotPaid(left > before ? 0 : before - left);
    }

    function _settle(bytes32 sendId, uint8 status) private {
        Pending memory pending = _pending[sendId];
        if (pending.token == 0) revert NotPending();
        if (status == DELIVERED) {
            delete _pending[sendId];
            emit TransferCompleted(sendId);
            return;
        }
        if (status != DEAD) revert NotFinal();
        delete _pending[sendId];
        address token = _tokenAt[pending.token];
        // Counted, so that sending and taking back makes no room under the cap; never stopped by it.
        _moveFlow(token, int256(pending.amount));
        bool pushed = true;
        if (tokens[token].mode == Mode.MINT) {
            CaissonWrappedToken(token).mint(pending.refundTo, pending.amount);
        } else {
            _unlock(token, pending.chain, pending.amount);
            try this.payFrame(token, pending.refundTo, pending.amount) {}
            catch {
                pushed = false;
                claimable[token][pending.refundTo] += pending.amount;
            }
        }
        emit TransferRefunded(sendId, token, pending.refundTo, pending.amount, pushed);
    }

    function _moveFlow(address token, int256 amount) private returns (int256 net) {
        Flow storage flow = _flows[token];
        uint64 present = _windowNow();
        net = (flow.window == present ? flow.net : int256(0)) + amount;
        _flows[token] = Flow({window: present, net: int192(net)});
    }

    function _setCap(address token, uint128 amountIn, uint128 amountOut) private {
        caps[token] = Cap({amountIn: amountIn, amountOut: amountOut});
        emit CapSet(token, amountIn, amountOut);
    }

    function _windowNow() private view returns (uint64) {
        return uint64(block.timestamp / window) + 1;
    }

    function _chainOf(bytes calldata raw) private view returns (uint32 chain, bytes calldata account) {
        bytes calldata prefix;
        (prefix, account) = raw.split();
        chain = _chains[keccak256(prefix)];
        if (chain == 0) revert ChainUnknown();
    }

    function _withRefund(bytes[] calldata attributes, address refundTo) private pure returns (bytes[] memory all) {
        uint256 count = attributes.length;
        all = new bytes[](count + 1);
        for (uint256 i = 0; i < count; ++i) all[i] = attributes[i];
        all[count] = abi.encodeWithSelector(ATTRIBUTE_REFUND_TO, refundTo);
    }
}
