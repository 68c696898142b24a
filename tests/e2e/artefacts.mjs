// Contracts that nobody here wrote, as their authors published them.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

function load(path) {
  const { abi, bytecode } = JSON.parse(readFileSync(require.resolve(path), 'utf8'));
  const hex = typeof bytecode === 'string' ? bytecode : bytecode.object;
  return { abi, bytecode: hex.startsWith('0x') ? hex : `0x${hex}` };
}

const openzeppelin = (name) => load(`@openzeppelin/contracts/build/contracts/${name}.json`);

/** ERC-20 whose whole supply goes to one owner: constructor(name, symbol, supply, owner). */
export const ERC20 = openzeppelin('ERC20PresetFixedSupply');
/** ERC-20 with roles, pause and burn: constructor(name, symbol). */
export const ERC20_MINTER = openzeppelin('ERC20PresetMinterPauser');
/** ERC-721 with roles: constructor(name, symbol, baseUri). */
export const ERC721 = openzeppelin('ERC721PresetMinterPauserAutoId');
export const UNISWAP_FACTORY = load('@uniswap/v2-core/build/UniswapV2Factory.json');
export const UNISWAP_PAIR = load('@uniswap/v2-core/build/UniswapV2Pair.json');
export const UNISWAP_ROUTER = load('@uniswap/v2-periphery/build/UniswapV2Router02.json');
export const WETH9 = load('@uniswap/v2-periphery/build/WETH9.json');
