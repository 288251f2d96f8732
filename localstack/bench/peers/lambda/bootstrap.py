import http.client
import json
import os


def handler(event):
    return {"n": event["n"] + 1}


host, _, path = os.environ["AWS_LAMBDA_RUNTIME_API"].removeprefix("http://").partition("/")
api = http.client.HTTPConnection(host)
base = (f"/{path}" if path else "") + "/2018-06-01/runtime/invocation"
while True:
    api.request("GET", f"{base}/next")
    invocation = api.getresponse()
    event = json.loads(invocation.read())
    api.request("POST", f"{base}/{invocation.headers['Lambda-Runtime-Aws-Request-Id']}/response", json.dumps(handler(event)))
    api.getresponse().read()
