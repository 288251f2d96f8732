#!/bin/sh
# Deploys the stack to LocalStack: the service `deploy` of compose.yaml.
set -eu

pip install --quiet --root-user-action ignore --disable-pip-version-check "$(grep '^aws-sam-cli==' localstack/requirements.txt)"
case $(uname -m) in
aarch64 | arm64) architecture=arm64 ;;
*) architecture=x86_64 ;;
esac
sam deploy --stack-name function-runner-localstack --resolve-s3 --no-progressbar --no-confirm-changeset \
    --no-fail-on-empty-changeset --capabilities CAPABILITY_IAM CAPABILITY_AUTO_EXPAND \
    --parameter-overrides Environment=emulator "Architecture=$architecture" RegistrationsPerSource=0
python - <<'PYTHON'
import boto3

stack = boto3.client("cloudformation").describe_stacks(StackName="function-runner-localstack")["Stacks"][0]
api = next(output["OutputValue"] for output in stack["Outputs"] if output["OutputKey"] == "ApiId")
print(f"http://{api}.execute-api.localhost.localstack.cloud:4566")
PYTHON
