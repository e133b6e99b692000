"""Run cells in a kernel of Jupyter, as a notebook does. A JSON list of them comes in, one of what they show goes out.

For an environment that has Jupyter; it imports nothing of this repository.
"""

import json
import sys

from jupyter_client.manager import run_kernel


def shown(client, cell):
    texts = []

    def hear(message):
        content = message["content"]
        if message["msg_type"] == "stream":
            texts.append(content["text"])
        elif message["msg_type"] == "execute_result":
            texts.append(content["data"]["text/plain"] + "\n")
        elif message["msg_type"] == "error":
            texts.append(f"Traceback (most recent call last):\n{content['ename']}: {content['evalue']}\n")

    client.execute_interactive(cell, timeout=20, output_hook=hear)
    return "".join(texts)


with run_kernel() as client:
    print(json.dumps([shown(client, cell) for cell in json.load(sys.stdin)]))
