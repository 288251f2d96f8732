//! A nested stack: what an API document's routes are made of on AWS.

use std::fmt::Write;

use crate::access::{Statement, is_table_only, policy};
use crate::routes::{Route, capitalised};

const HEAD: &str = include_str!("stack-head.yaml");
/// What the root template gives to every stack of routes.
const NESTED: &str = include_str!("nested-stack.yaml");

/// The stacks of all documents as resources of the root template.
pub fn nested<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let resource = |name: &str| {
        let id: String = name.split('-').map(capitalised).chain(["Routes".to_owned()]).collect();
        NESTED.replace("{id}", &id).replace("{name}", name)
    };
    names.map(resource).collect::<Vec<_>>().join("\n")
}

/// The stack of an API, whose binaries are named `<api>-routes` and `<api>-table-routes`.
pub fn stack(api: &str, routes: &[Route]) -> String {
    let mut text = HEAD.replace("{api}", api);
    for route in routes {
        write!(text, "{}", resources(api, route)).expect("a String takes all that is written");
    }
    text
}

fn resources(api: &str, route: &Route) -> String {
    let (id, name) = (route.logical_id(), &route.name);
    let binary = if is_table_only(&route.access) { "table-routes" } else { "routes" };
    let mut text = format!(
        "
  # {name}: {access}
  {id}Logs:
    Type: AWS::Logs::LogGroup
    UpdateReplacePolicy: Delete
    DeletionPolicy: Delete
    Properties:
      LogGroupName: !Sub /${{Prefix}}/{api}/{name}
      RetentionInDays: !Ref LogRetentionDays
  {id}Role:
    Type: AWS::IAM::Role
    Properties:
      AssumeRolePolicyDocument: {ASSUME}
      Policies:
        - PolicyName: route
          PolicyDocument:
            Version: '2012-10-17'
            Statement:
              - Sid: WriteLogs
                Effect: Allow
                Action: [logs:CreateLogStream, logs:PutLogEvents]
                Resource: !GetAtt {id}Logs.Arn
              - Sid: ReadTokenSecret
                Effect: Allow
                Action: secretsmanager:GetSecretValue
                Resource: !Ref TokenSecretArn
",
        access = if route.access.is_empty() { "nothing".to_owned() } else { route.access.join(", ") },
    );
    for statement in policy(&route.access) {
        text += &yaml(&statement);
    }
    let warm_up = warm_up(&route.access);
    let dashed = route.dashed();
    let memory = route.memory;
    write!(
        text,
        "  {id}:
    Type: AWS::Lambda::Function
    Properties:
      FunctionName: !Sub ${{Prefix}}-{dashed}
      Description: {keys}
      Runtime: provided.al2023
      Handler: bootstrap
      Architectures: [!Ref Architecture]
      Code: ../target/lambda/{api}-{binary}.zip
      MemorySize: {memory}
      Timeout: 30
      Role: !GetAtt {id}Role.Arn
      LoggingConfig: {{ LogGroup: !Ref {id}Logs }}
      Environment:
        Variables:
          WARM_UP: '{warm_up}'
          TABLE_NAME: !Ref TableName
          CODE_BUCKET: !Ref BucketName
          QUEUE_URL: !Ref QueueUrl
          DLQ_URL: !Ref DeadLetterQueueUrl
          FUNCTION_NAME_PREFIX: !Ref UserFunctionPrefix
          EXECUTION_ROLE_ARN: !Ref ExecutionRoleArn
          TOKEN_SECRET_ID: !Ref TokenSecretArn
          PUBLIC_URL: !Ref PublicUrl
          ENVIRONMENT: !Ref Environment
          REGISTRATIONS_PER_SOURCE: !Ref RegistrationsPerSource
          WORKSPACES_PER_USER: !Ref WorkspacesPerUser
          FUNCTIONS_PER_USER: !Ref FunctionsPerUser
          VERSIONS_PER_FUNCTION: !Ref VersionsPerFunction
  {id}Integration:
    Type: AWS::ApiGatewayV2::Integration
    Properties:
      ApiId: !Ref ApiId
      IntegrationType: AWS_PROXY
      IntegrationUri: !GetAtt {id}.Arn
      PayloadFormatVersion: '2.0'
      TimeoutInMillis: 30000
  {id}Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref {id}
      Principal: apigateway.amazonaws.com
      SourceArn: !Sub arn:${{AWS::Partition}}:execute-api:${{AWS::Region}}:${{AWS::AccountId}}:${{ApiId}}/*
",
        keys = route.keys[0],
    )
    .expect("a String takes all that is written");
    for (number, key) in route.keys.iter().enumerate().map(|(index, key)| (index + 1, key)) {
        write!(
            text,
            "  {id}Route{number}:
    Type: AWS::ApiGatewayV2::Route
    Properties:
      ApiId: !Ref ApiId
      RouteKey: {key}
      Target: !Sub integrations/${{{id}Integration}}
"
        )
        .expect("a String takes all that is written");
    }
    text
}

/// Who may be a function's role.
const ASSUME: &str = "{ Version: '2012-10-17', Statement: [{ Effect: Allow, Principal: { Service: lambda.amazonaws.com }, Action: sts:AssumeRole }] }";

/// The connections to make before the first request.
fn warm_up(access: &[String]) -> String {
    let parts = [("table", "table:read"), ("runtime", "runtime:invoke")];
    let wanted = parts.iter().filter(|(_, word)| access.iter().any(|known| known == word));
    wanted.map(|(part, _)| *part).collect::<Vec<_>>().join(",")
}

fn yaml(statement: &Statement) -> String {
    let Statement { sid, actions, resources, condition } = statement;
    let mut text =
        format!("              - Sid: {sid}\n                Effect: Allow\n                Action:\n");
    for action in *actions {
        text += &format!("                  - {action}\n");
    }
    text += "                Resource:\n";
    for resource in *resources {
        match resource.strip_prefix("${").and_then(|name| name.strip_suffix('}')) {
            Some(name) => text += &format!("                  - !Ref {name}\n"),
            None => text += &format!("                  - !Sub {resource}\n"),
        }
    }
    if let Some(condition) = condition {
        text += &format!("                Condition:\n                  {condition}\n");
    }
    text
}
