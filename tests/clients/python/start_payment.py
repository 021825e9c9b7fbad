"""Starts a payment from Python's own Temporal client, asks how it stands, and reads its result.

Beside `partner dev --json`, whose endpoints are in the environment: TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE,
TEMPORAL_TASK_QUEUE. The order is the first argument.
"""

import asyncio
import os
import sys

from temporalio.client import Client


async def main(order_id: str) -> None:
    client = await Client.connect(os.environ["TEMPORAL_ADDRESS"], namespace=os.environ["TEMPORAL_NAMESPACE"])
    payment = await client.start_workflow(
        "processPaymentWorkflow",
        {
            "orderId": order_id,
            "userId": "ts-ana",
            "amount": 49.99,
            "currency": "EUR",
            "paymentMethod": "card",
        },
        id=f"payment-{order_id}",
        task_queue=os.environ["TEMPORAL_TASK_QUEUE"],
    )
    result = await payment.result()
    status = await payment.query("getStatus")
    assert result["success"] and result["amount"] == 49.99, result
    assert status["status"] == "completed", status
    print(f"{payment.id} {status['status']}: {result['message']}")


asyncio.run(main(sys.argv[1]))
# Everything is said. The client's native threads may still end while the interpreter does, which aborts it
# now and then (PyGILState_Release): what failed has raised before this.
sys.stdout.flush()
os._exit(0)
