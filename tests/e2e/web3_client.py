"""web3.py, unmodified, against the node at the URL given; prints one line a check and exits non-zero at the first failure.

Driven by web3py.test.mjs; run alone with `python tests/e2e/web3_client.py URL ARTEFACT.json`.
"""

import asyncio
import json
import sys

from eth_account import Account
from eth_account.messages import encode_defunct, encode_typed_data
from web3 import AsyncWeb3, Web3
from web3.exceptions import ContractLogicError, TimeExhausted, Web3RPCError
from web3.providers.persistent import WebSocketProvider

ALICE = Account.from_key("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
BOB = Account.from_key("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
checks = 0


def check(condition, what):
    global checks
    if not condition:
        sys.exit(f"failed: {what}")
    checks += 1
    print(f"ok: {what}")


def send(w3, account, transaction):
    """Fills in, signs, sends and waits."""
    transaction.setdefault("nonce", w3.eth.get_transaction_count(account.address, "pending"))
    transaction.setdefault("chainId", w3.eth.chain_id)
    transaction.setdefault("from", account.address)
    if "gasPrice" not in transaction:
        tip = w3.eth.max_priority_fee
        transaction.setdefault("maxPriorityFeePerGas", tip)
        transaction.setdefault("maxFeePerGas", 2 * w3.eth.get_block("latest")["baseFeePerGas"] + tip)
    transaction.setdefault("gas", w3.eth.estimate_gas(transaction))
    signed = account.sign_transaction(transaction)
    sent = w3.eth.send_raw_transaction(signed.raw_transaction)
    return w3.eth.wait_for_transaction_receipt(sent, timeout=20, poll_latency=0.02)


def basics(w3):
    check(w3.is_connected(), "connected")
    check(w3.eth.chain_id == 31337, "chain id")
    check(w3.eth.accounts[0] == ALICE.address and len(w3.eth.accounts) == 10, "ten accounts")
    fresh = Account.create()
    before = w3.eth.get_balance(ALICE.address)
    receipt = send(w3, ALICE, {"to": fresh.address, "value": w3.to_wei(2, "ether")})
    check(receipt["status"] == 1 and receipt["gasUsed"] == 21000, "transfer")
    check(w3.eth.get_balance(fresh.address) == w3.to_wei(2, "ether"), "value arrived")
    cost = receipt["gasUsed"] * receipt["effectiveGasPrice"] + w3.to_wei(2, "ether")
    check(w3.eth.get_balance(ALICE.address) == before - cost, "cost is value and fee")
    legacy = send(w3, BOB, {"to": fresh.address, "value": 1, "gasPrice": w3.eth.gas_price})
    check(legacy["type"] == 0, "legacy transaction")
    block = w3.eth.get_block(receipt["blockHash"], full_transactions=True)
    check(any(tx["hash"] == receipt["transactionHash"] for tx in block["transactions"]), "transaction in its block")
    check(w3.eth.get_transaction(receipt["transactionHash"])["from"] == ALICE.address, "sender")


def token(w3, artefact):
    contract = w3.eth.contract(abi=artefact["abi"], bytecode=artefact["bytecode"])
    supply = 10**24
    creation = contract.constructor("Python", "PY", supply, ALICE.address)
    receipt = send(w3, ALICE, {"data": creation.data_in_transaction})
    deployed = w3.eth.contract(address=receipt["contractAddress"], abi=artefact["abi"])
    check(deployed.functions.totalSupply().call() == supply, "contract deployed")
    call = deployed.functions.transfer(BOB.address, 123)
    receipt = send(w3, ALICE, {"to": deployed.address, "data": call._encode_transaction_data()})
    check(deployed.functions.balanceOf(BOB.address).call() == 123, "token transferred")
    events = deployed.events.Transfer().process_receipt(receipt)
    check(len(events) == 1 and events[0]["args"]["value"] == 123, "event decoded from the receipt")
    found = deployed.events.Transfer().get_logs(from_block=0, argument_filters={"to": BOB.address})
    check([event["args"]["value"] for event in found] == [123], "event found by its topic")
    watch = deployed.events.Transfer.create_filter(from_block="latest")
    send(w3, BOB, {"to": deployed.address, "data": deployed.functions.transfer(ALICE.address, 3)._encode_transaction_data()})
    check([event["args"]["value"] for event in watch.get_new_entries() if event["args"]["from"] == BOB.address] == [3], "event filter")
    try:
        deployed.functions.transfer(ALICE.address, 10**9).call({"from": BOB.address})
        check(False, "transfer above the balance is refused")
    except ContractLogicError as error:
        check("transfer amount exceeds balance" in str(error), "transfer above the balance is refused")
    then = deployed.functions.balanceOf(BOB.address).call(block_identifier=receipt["blockNumber"] - 1)
    check(then == 0, "state of an older block")


def signing(w3):
    message = encode_defunct(text="due on Friday")
    signature = w3.eth.sign(ALICE.address, text="due on Friday")
    check(Account.recover_message(message, signature=signature) == ALICE.address, "eth_sign")
    typed = {
        "domain": {"name": "Braid", "chainId": 31337},
        "types": {"EIP712Domain": [{"name": "name", "type": "string"}, {"name": "chainId", "type": "uint256"}],
                  "Note": [{"name": "amount", "type": "uint256"}]},
        "primaryType": "Note",
        "message": {"amount": 5},
    }
    answer = w3.provider.make_request("eth_signTypedData_v4", [ALICE.address, typed])
    signature = answer["result"]
    check(Account.recover_message(encode_typed_data(full_message=typed), signature=signature) == ALICE.address, "typed data")
    sent = w3.eth.send_transaction({"from": BOB.address, "to": ALICE.address, "value": 4})
    check(w3.eth.wait_for_transaction_receipt(sent, timeout=20, poll_latency=0.02)["status"] == 1, "eth_sendTransaction")


def refusals(w3):
    poor = Account.create()
    try:
        send(w3, poor, {"to": ALICE.address, "value": 1, "gas": 21000})
        check(False, "a sender without money is refused")
    except (Web3RPCError, ValueError) as error:
        check("nsufficient funds" in str(error), "a sender without money is refused")
    try:
        w3.eth.wait_for_transaction_receipt("0x" + "11" * 32, timeout=0.2, poll_latency=0.05)
        check(False, "an unknown transaction has no receipt")
    except TimeExhausted:
        check(True, "an unknown transaction has no receipt")


def batches(w3):
    with w3.batch_requests() as batch:
        batch.add(w3.eth.get_block("latest"))
        batch.add(w3.eth.get_balance(ALICE.address))
        block, balance = batch.execute()
    check(block["number"] > 0 and balance > 0, "batch of requests")
    history = w3.eth.fee_history(4, "latest", [50])
    check(len(history["baseFeePerGas"]) == len(history["gasUsedRatio"]) + 1, "fee history")
    if "anvil" not in w3.client_version:  # which refuses the slot "0x0" that web3.py sends and geth takes
        proof = w3.eth.get_proof(ALICE.address, [0], "latest")
        check(proof["balance"] == w3.eth.get_balance(ALICE.address), "proof")


async def subscription(url, w3):
    """A block arrives over a WebSocket while another client makes it."""
    async with AsyncWeb3(WebSocketProvider(url.replace("http", "ws", 1))) as socket:
        subscribed = await socket.eth.subscribe("newHeads")
        receipt = await asyncio.to_thread(send, w3, ALICE, {"to": BOB.address, "value": 1})
        async with asyncio.timeout(20):
            async for message in socket.socket.process_subscriptions():
                if message["result"]["hash"] == receipt["blockHash"]:
                    break
        check(True, "new block over the WebSocket")
        check(await socket.eth.unsubscribe(subscribed), "unsubscribed")


def main(url, artefact):
    w3 = Web3(Web3.HTTPProvider(url))
    basics(w3)
    with open(artefact, encoding="utf-8") as file:
        token(w3, json.load(file))
    signing(w3)
    refusals(w3)
    batches(w3)
    asyncio.run(subscription(url, w3))
    print(f"{checks} passed, 0 failed")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
