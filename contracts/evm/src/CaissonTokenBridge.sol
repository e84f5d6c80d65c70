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
/// Value: of a locked token, at most what was delivered to a chain can come back from it, so that a forged message of one
/// chain spends neither another's nor what is pending. A minted token has one home chain.
///
/// Caps bound the net flow per token and window in both directions. What was sent makes room for what comes in only from
/// its delivery on, in that window and from that chain: until then it may be taken back. Refunds pass the caps and make
/// no room, so that sending and taking back, whatever a broken remote says of it, moves no bound.
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

    /// Most that may come in (mint, release) beyond what is known as delivered, and most that may go out (lock, burn)
    /// beyond what came in, in one window. Zero: nothing at all. A window holds 2^111 units at most, whatever its cap.
    struct Cap {
        uint128 amountIn;
        uint128 amountOut;
    }

    /// Of a token, in one window: what came in beyond the room that deliveries had made, and what went out less all
    /// that came in.
    struct Flow {
        uint32 window;
        uint112 amountIn;
        int112 netOut;
    }

    /// Of a token towards a chain: what was locked and delivered (of a minted token: nothing), and, in one window, what
    /// is known as delivered and was not matched by what came in.
    struct Lane {
        uint128 locked;
        uint32 window;
        uint96 room;
    }

    struct Pending {
        address refundTo;
        uint32 token;
        uint32 chain;
        Mode mode;
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
    mapping(uint32 token => mapping(uint32 chain => Lane)) private _lanes;
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
    error LockedTooMuch();
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
        if (refundTo == address(this)) revert RecipientInvalid();
        uint32 chain;
        bytes memory payload;
        (chain, payload) = _payload(token, amount, recipient);
        Token memory entry = tokens[token];
        _take(token, entry.mode, amount);
        sendId = gateway.sendMessage{value: msg.value}(_peers[chain], payload, _withRefund(attributes, refundTo));
        _pending[sendId] =
            Pending({refundTo: refundTo, token: entry.index, chain: chain, mode: entry.mode, amount: amount});
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
        Token memory entry = tokens[token];
        _comeIn(token, entry, chain, amount);
        if (entry.mode == Mode.MINT) CaissonWrappedToken(token).mint(to, amount);
        else _pay(token, to, amount);
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

    /// Lowers caps at once; zero stops what would come in or go out, but no refund.
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

    /// What was locked and delivered to that chain, and so may come back. What is pending is not part of it.
    function lockedOf(address token, bytes calldata chain) external view returns (uint256) {
        (uint32 index,) = _chainOf(chain);
        return _lanes[tokens[token].index][index].locked;
    }

    /// Net amount that came in during the present window; negative: went out. Refunds are no part of it.
    function flowOf(address token) external view returns (int256) {
        return -int256(_flow(token).netOut);
    }

    /// What may still come in from that chain, and go out to any, in the present window.
    function roomOf(address token, bytes calldata chain) external view returns (uint256 toIn, uint256 toOut) {
        (uint32 index,) = _chainOf(chain);
        Cap memory cap = caps[token];
        Flow memory flow = _flow(token);
        int256 maxOut = int256(_bound(cap.amountOut));
        if (cap.amountIn != 0) toIn = _capRoom(cap, flow) + _laneRoom(_lanes[tokens[token].index][index]);
        if (cap.amountOut != 0 && maxOut > flow.netOut) toOut = uint256(maxOut - flow.netOut);
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

    /// A token that pays less than it says, or more, is refused. What is locked is the lane's from its delivery on.
    function _take(address token, Mode mode, uint256 amount) private {
        _goOut(token, amount);
        if (mode == Mode.MINT) {
            CaissonWrappedToken(token).burn(msg.sender, amount);
            return;
        }
        uint256 before = IERC20(token).balanceOf(address(this));
        IERC20(token).safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = IERC20(token).balanceOf(address(this)) - before;
        if (received != amount) revert AmountNotReceived(received);
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
            _arrive(pending);
            emit TransferCompleted(sendId);
            return;
        }
        if (status != DEAD) revert NotFinal();
        delete _pending[sendId];
        address token = _tokenAt[pending.token];
        bool pushed = true;
        if (pending.mode == Mode.MINT) {
            CaissonWrappedToken(token).mint(pending.refundTo, pending.amount);
        } else {
            try this.payFrame(token, pending.refundTo, pending.amount) {}
            catch {
                pushed = false;
                claimable[token][pending.refundTo] += pending.amount;
            }
        }
        emit TransferRefunded(sendId, token, pending.refundTo, pending.amount, pushed);
    }

    /// Counts what goes out.
    function _goOut(address token, uint256 amount) private {
        uint256 cap = caps[token].amountOut;
        Flow memory flow = _flow(token);
        int256 netOut = flow.netOut + int256(amount);
        if (cap == 0 || netOut > int256(_bound(cap))) revert CapExceeded();
        flow.netOut = int112(netOut);
        _flows[token] = flow;
    }

    /// What was sent is known as delivered: it may come back from there, beyond the cap while the window lasts.
    function _arrive(Pending memory pending) private {
        Lane memory lane = _lanes[pending.token][pending.chain];
        uint256 room = _laneRoom(lane) + pending.amount;
        lane.window = _windowNow();
        lane.room = room > type(uint96).max ? type(uint96).max : uint96(room);
        if (pending.mode == Mode.LOCK) {
            uint256 locked = lane.locked + pending.amount;
            // Of a token with so many units, what is pending waits until something came back.
            if (locked > type(uint128).max) revert LockedTooMuch();
            lane.locked = uint128(locked);
        }
        _lanes[pending.token][pending.chain] = lane;
    }

    /// Counts what comes in. A locked token's goes on what was delivered there in this window, then on the cap, which all
    /// chains share. A minted one's has one chain and goes on the cap first, so that most need nothing else.
    function _comeIn(address token, Token memory entry, uint32 chain, uint256 amount) private {
        Cap memory cap = caps[token];
        if (cap.amountIn == 0) revert CapExceeded();
        Flow memory flow = _flow(token);
        uint256 capRoom = _capRoom(cap, flow);
        uint256 matched = 0;
        if (entry.mode == Mode.LOCK || amount > capRoom) {
            Lane memory lane = _lanes[entry.index][chain];
            uint256 room = _laneRoom(lane);
            matched = entry.mode == Mode.LOCK ? (amount < room ? amount : room) : amount - capRoom;
            if (matched > room || amount - matched > capRoom) revert CapExceeded();
            lane.room = uint96(room - matched);
            if (entry.mode == Mode.LOCK) {
                if (lane.locked < amount) revert LockedTooLittle();
                lane.locked -= uint128(amount);
            }
            _lanes[entry.index][chain] = lane;
        }
        flow.amountIn += uint112(amount - matched);
        int256 netOut = flow.netOut - int256(amount);
        flow.netOut = netOut < type(int112).min ? type(int112).min : int112(netOut);
        _flows[token] = flow;
    }

    /// The flow of the present window.
    function _flow(address token) private view returns (Flow memory flow) {
        flow = _flows[token];
        uint32 present = _windowNow();
        if (flow.window != present) flow = Flow({window: present, amountIn: 0, netOut: 0});
    }

    function _laneRoom(Lane memory lane) private view returns (uint256) {
        return lane.window == _windowNow() ? lane.room : 0;
    }

    /// What the cap itself still lets in.
    function _capRoom(Cap memory cap, Flow memory flow) private pure returns (uint256) {
        uint256 max = _bound(cap.amountIn);
        return max > flow.amountIn ? max - flow.amountIn : 0;
    }

    /// A cap, as far as a flow can count.
    function _bound(uint256 cap) private pure returns (uint256) {
        uint256 max = uint256(uint112(type(int112).max));
        return cap < max ? cap : max;
    }

    function _setCap(address token, uint128 amountIn, uint128 amountOut) private {
        caps[token] = Cap({amountIn: amountIn, amountOut: amountOut});
        emit CapSet(token, amountIn, amountOut);
    }

    /// Of windows of a second, 2^32 are 136 years.
    function _windowNow() private view returns (uint32) {
        return uint32(block.timestamp / window + 1);
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
