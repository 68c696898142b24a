// Checks Merkle-Patricia proofs (eth_getProof) with nothing but Keccak and RLP.

import assert from 'node:assert/strict';
import { fromRlp, keccak256, pad, toHex, toRlp } from 'viem';

const EMPTY_ROOT = keccak256('0x80');
const nibblesOf = (hex) => [...hex.slice(2)].map((digit) => parseInt(digit, 16));

/** A node's path in hex-prefix form: nibbles, and whether it is a leaf. */
function path(encoded) {
  const nibbles = nibblesOf(encoded);
  return { isLeaf: nibbles[0] >= 2, nibbles: nibbles.slice(nibbles[0] % 2 === 1 ? 1 : 2) };
}

/** The RLP value at `key` under `root`, or null where the proof shows that there is none. */
function walk(root, key, proof) {
  if (root === EMPTY_ROOT) return null;
  let rest = nibblesOf(keccak256(key));
  let expected = root;
  let embedded;
  for (let i = 0; ; ) {
    let node = embedded;
    if (!node) {
      assert.ok(i < proof.length, 'the proof ends early');
      assert.equal(keccak256(proof[i]), expected, `node ${i} has the hash its parent names`);
      node = fromRlp(proof[i], 'hex');
      i += 1;
    }
    let child;
    if (node.length === 17) {
      if (rest.length === 0) return node[16] === '0x' ? null : node[16];
      child = node[rest[0]];
      rest = rest.slice(1);
    } else {
      const { isLeaf, nibbles } = path(node[0]);
      const matches = nibbles.every((nibble, at) => nibble === rest[at]);
      if (!matches || (isLeaf && nibbles.length !== rest.length)) return null;
      if (isLeaf) return node[1];
      rest = rest.slice(nibbles.length);
      child = node[1];
    }
    if (child === '0x') return null;
    embedded = Array.isArray(child) ? child : undefined;
    expected = child;
  }
}

const minimal = (quantity) => (BigInt(quantity) === 0n ? '0x' : toHex(BigInt(quantity)));

/** Throws unless an answer of eth_getProof follows from `stateRoot`, presence and absence alike. */
export function verifyAccountProof(stateRoot, answer) {
  const account = walk(stateRoot, answer.address, answer.accountProof);
  if (account === null) {
    assert.equal(BigInt(answer.balance), 0n, 'an absent account has no balance');
    assert.equal(BigInt(answer.nonce), 0n, 'an absent account has no nonce');
  } else {
    const claimed = toRlp([minimal(answer.nonce), minimal(answer.balance), answer.storageHash, answer.codeHash]);
    assert.equal(account, claimed, 'the account is the one in the trie');
  }
  for (const { key, value, proof } of answer.storageProof) {
    const found = account === null ? null : walk(answer.storageHash, pad(toHex(BigInt(key)), { size: 32 }), proof);
    assert.equal(found === null ? 0n : BigInt(fromRlp(found, 'hex')), BigInt(value), `slot ${key}`);
  }
}
