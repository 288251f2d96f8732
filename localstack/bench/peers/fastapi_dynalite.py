import os

import boto3
from fastapi import FastAPI

app = FastAPI()
table = boto3.resource(
    "dynamodb",
    endpoint_url=os.environ["DYNALITE"],
    region_name="us-east-1",
    aws_access_key_id="x",
    aws_secret_access_key="x",
).Table("functions")


@app.get("/functions/{id}")
def read(id: str):
    item = table.get_item(Key={"id": id})["Item"]
    return {"id": item["id"], "n": int(item["n"]), "pad": item["pad"]}


def fill():
    client = table.meta.client
    client.create_table(
        TableName="functions",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    client.get_waiter("table_exists").wait(TableName="functions")
    table.put_item(Item={"id": "77", "n": 77, "pad": "x" * 800})
