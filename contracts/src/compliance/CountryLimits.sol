// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {ICompliance, IIdentityRegistry} from "./IERC3643.sol";
import {Ownable} from "@openzeppelin/access/Ownable.sol";
import {IERC20} from "@openzeppelin/token/ERC20/IERC20.sol";

/// @title How much of a token, and by how many accounts, may be held in a country
/// @notice Countries without limits are open. A forced transfer is counted but not stopped.
/// @dev Each country's total and number of holders have slots of their own and only ever add up under a bound, so that
/// transfers into one country do not wait for each other. A transfer within a country changes no total.
/// A holder counts where it was registered when it became one; {recount} moves it after it has moved.
contract CountryLimits is ICompliance, Ownable {
    struct Limit {
        bool set;
        uint128 amount;
        uint64 holders;
    }

    IIdentityRegistry public immutable identityRegistry;
    /// @notice The token that is counted; zero while none is bound.
    address public token;
    mapping(uint16 country => Limit) public limits;
    /// @notice What a country's holders have, in the token's smallest unit.
    mapping(uint16 country => uint256) public held;
    mapping(uint16 country => uint256) public holders;
    /// @dev One more than the country in which a holder is counted; zero if it holds nothing.
    mapping(address account => uint256) private countedIn;

    error NotToken(address caller);
    error AlreadyBound(address token);
    error NotBound(address token);

    event LimitSet(uint16 indexed country, uint128 amount, uint64 holders);
    event LimitRemoved(uint16 indexed country);
    event Recounted(address indexed account, uint16 indexed from, uint16 indexed to);

    modifier onlyToken() {
        if (msg.sender != token) revert NotToken(msg.sender);
        _;
    }

    constructor(IIdentityRegistry registry, address owner) Ownable(owner) {
        identityRegistry = registry;
    }

    /// @inheritdoc ICompliance
    /// @dev To be bound before anything is minted: what is held already is not counted.
    function bindToken(address token_) external onlyOwner {
        if (token != address(0)) revert AlreadyBound(token);
        token = token_;
        emit TokenBound(token_);
    }

    /// @inheritdoc ICompliance
    function unbindToken(address token_) external onlyOwner {
        if (token != token_) revert NotBound(token_);
        token = address(0);
        emit TokenUnbound(token_);
    }

    function setLimit(uint16 country, uint128 amount, uint64 holders_) external onlyOwner {
        limits[country] = Limit(true, amount, holders_);
        emit LimitSet(country, amount, holders_);
    }

    function removeLimit(uint16 country) external onlyOwner {
        delete limits[country];
        emit LimitRemoved(country);
    }

    /// @notice Counts a holder in the country in which it is registered now. Anyone may ask.
    function recount(address account) external {
        uint256 counted = countedIn[account];
        uint16 country = identityRegistry.investorCountry(account);
        if (counted == 0 || _country(account) == country) return;
        uint256 balance = IERC20(token).balanceOf(account);
        emit Recounted(account, _country(account), country);
        _leave(account, balance, true);
        _enter(account, balance);
    }

    /// @inheritdoc ICompliance
    function transferred(address from, address to, uint256 amount) external onlyToken {
        if (from == to || amount == 0) return;
        bool empties = IERC20(token).balanceOf(from) == 0;
        if (!empties && countedIn[to] != 0 && _country(from) == _country(to)) return;
        _leave(from, amount, empties);
        _enter(to, amount);
    }

    /// @inheritdoc ICompliance
    function created(address to, uint256 amount) external onlyToken {
        if (amount != 0) _enter(to, amount);
    }

    /// @inheritdoc ICompliance
    function destroyed(address from, uint256 amount) external onlyToken {
        if (amount != 0) _leave(from, amount, IERC20(token).balanceOf(from) == 0);
    }

    /// @inheritdoc ICompliance
    function isTokenBound(address token_) external view returns (bool) {
        return token_ == token;
    }

    /// @inheritdoc ICompliance
    function canTransfer(address from, address to, uint256 amount) external view returns (bool) {
        uint16 country = _country(to);
        Limit memory limit = limits[country];
        if (!limit.set || from == to || amount == 0) return true;
        bool within = from != address(0) && _country(from) == country;
        if (!within && (amount > limit.amount || held[country] > limit.amount - amount)) return false;
        bool replaces = within && IERC20(token).balanceOf(from) == amount;
        return countedIn[to] != 0 || replaces || holders[country] < limit.holders;
    }

    function _enter(address account, uint256 amount) private {
        if (countedIn[account] == 0) {
            uint16 country = identityRegistry.investorCountry(account);
            countedIn[account] = uint256(country) + 1;
            holders[country] += 1;
        }
        held[_country(account)] += amount;
    }

    function _leave(address account, uint256 amount, bool empties) private {
        uint16 country = _country(account);
        held[country] -= amount;
        if (!empties) return;
        countedIn[account] = 0;
        holders[country] -= 1;
    }

    /// @dev Where a holder is counted, or where somebody else would be.
    function _country(address account) private view returns (uint16) {
        uint256 counted = countedIn[account];
        if (counted == 0) return identityRegistry.investorCountry(account);
        return uint16(counted - 1);
    }
}
