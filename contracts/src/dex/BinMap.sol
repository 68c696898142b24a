// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.30;

import {Math} from "@openzeppelin/utils/math/Math.sol";

/// @title A set of numbers below 2^16, with the neighbours of any number
/// @notice Two levels of words: `words[i]` has a bit for each of 256 numbers, `top` one for each word that is not empty.
library BinMap {
    struct Map {
        uint256 top;
        mapping(uint256 word => uint256) words;
    }

    function add(Map storage map, uint256 id) internal {
        uint256 word = id >> 8;
        map.words[word] |= 1 << (id & 255);
        map.top |= 1 << word;
    }

    /// @notice The greatest member below `id`.
    function below(Map storage map, uint256 id) internal view returns (bool found, uint256 member) {
        uint256 word = id >> 8;
        uint256 bits = map.words[word] & ((1 << (id & 255)) - 1);
        if (bits == 0) {
            uint256 others = map.top & ((1 << word) - 1);
            if (others == 0) return (false, 0);
            word = Math.log2(others);
            bits = map.words[word];
        }
        return (true, (word << 8) | Math.log2(bits));
    }

    /// @notice The least member above `id`.
    function above(Map storage map, uint256 id) internal view returns (bool found, uint256 member) {
        uint256 word = id >> 8;
        uint256 bits = map.words[word] & _beyond(id & 255);
        if (bits == 0) {
            uint256 others = map.top & _beyond(word);
            if (others == 0) return (false, 0);
            word = _lowest(others);
            bits = map.words[word];
        }
        return (true, (word << 8) | _lowest(bits));
    }

    /// @dev All bits above `bit`.
    function _beyond(uint256 bit) private pure returns (uint256) {
        return bit == 255 ? 0 : type(uint256).max << (bit + 1);
    }

    function _lowest(uint256 bits) private pure returns (uint256) {
        unchecked {
            return Math.log2(bits & (0 - bits));
        }
    }
}
