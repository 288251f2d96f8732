import json


def handler(event, context):
    return {"statusCode": 200, "body": json.dumps({"n": json.loads(event["body"])["n"] + 1})}
