//! Who may do what to what: every policy of every template, read as it is committed. What is allowed is written down here a
//! second time, on purpose.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What each action of a route's role may be aimed at.
const ROUTES: &[(&str, &[&str])] = &[
    ("dynamodb:Query", TABLE),
    ("dynamodb:BatchGetItem", TABLE),
    ("dynamodb:GetItem", TABLE),
    ("dynamodb:", &["!Ref TableArn"]),
    ("s3:ListBucket", &["!Ref BucketArn"]),
    ("s3:", &["!Sub ${BucketArn}/code/*", "!Sub ${BucketArn}/jobs/*", "!Sub ${BucketArn}/idempotency/*"]),
    ("sqs:", &["!Ref QueueArn"]),
    (
        "lambda:",
        &[
            "!Sub arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${UserFunctionPrefix}*",
        ],
    ),
    ("iam:PassRole", &["!Ref ExecutionRoleArn"]),
    ("secretsmanager:GetSecretValue", &["!Ref TokenSecretArn"]),
];
const TABLE: &[&str] = &["!Ref TableArn", "!Sub ${TableArn}/index/GSI1", "!Sub ${TableArn}/index/GSI2"];

/// What each role of the root template may do: actions, and to what.
const ROOT: &[(&str, &[(&str, &str)])] = &[
    (
        "FallbackRole",
        &[
            ("logs:CreateLogStream logs:PutLogEvents", "!GetAtt FallbackLogs.Arn"),
            ("secretsmanager:GetSecretValue", "!GetAtt TokenSecret.Id"),
        ],
    ),
    ("UserFunctionRole", &[]),
    (
        "WorkerRole",
        &[
            (ALL_OF_TABLE, ROOT_TABLE),
            ("s3:GetObject s3:PutObject", "!Sub ${Bucket.Arn}/code/*, !Sub ${Bucket.Arn}/jobs/*"),
            ("s3:ListBucket", "!GetAtt Bucket.Arn"),
            (
                "sqs:ReceiveMessage sqs:DeleteMessage sqs:ChangeMessageVisibility sqs:GetQueueAttributes",
                "!GetAtt JobQueue.Arn",
            ),
            ("sqs:SendMessage", "!GetAtt DeadLetterQueue.Arn"),
            (
                "lambda:InvokeFunction lambda:GetFunctionConfiguration lambda:CreateFunction lambda:UpdateFunctionCode \
                 lambda:UpdateFunctionConfiguration lambda:PublishVersion lambda:CreateAlias lambda:UpdateAlias \
                 lambda:ListAliases lambda:DeleteAlias lambda:DeleteFunction",
                USER_FUNCTIONS,
            ),
            ("iam:PassRole", "!GetAtt UserFunctionRole.Arn"),
            ("logs:CreateLogStream logs:PutLogEvents", "!GetAtt WorkerLogs.Arn"),
        ],
    ),
    (
        "JanitorRole",
        &[
            (ALL_OF_TABLE, ROOT_TABLE),
            (
                "s3:DeleteObject",
                "!Sub ${Bucket.Arn}/code/*, !Sub ${Bucket.Arn}/jobs/*, !Sub ${Bucket.Arn}/idempotency/*",
            ),
            ("s3:ListBucket", "!GetAtt Bucket.Arn"),
            ("sqs:SendMessage", "!GetAtt JobQueue.Arn"),
            ("lambda:DeleteFunction", USER_FUNCTIONS),
            ("logs:CreateLogStream logs:PutLogEvents", "!GetAtt JanitorLogs.Arn"),
        ],
    ),
];
const ALL_OF_TABLE: &str = "dynamodb:GetItem dynamodb:BatchGetItem dynamodb:Query dynamodb:PutItem dynamodb:UpdateItem \
                            dynamodb:DeleteItem dynamodb:ConditionCheckItem";
const ROOT_TABLE: &str = "!GetAtt Table.Arn, !Sub ${Table.Arn}/index/GSI1, !Sub ${Table.Arn}/index/GSI2";
const USER_FUNCTIONS: &str =
    "!Sub arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:fr-${Environment}-user-*";

fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A statement that allows something.
#[derive(Debug)]
struct Statement {
    actions: BTreeSet<String>,
    resources: BTreeSet<String>,
}

/// The statements of each resource of a template, by the resource's logical id.
fn statements(template: &str) -> BTreeMap<String, Vec<Statement>> {
    let mut all: BTreeMap<String, Vec<Statement>> = BTreeMap::new();
    let (_, resources) = template.split_once("\nResources:\n").expect("a template has resources");
    let (mut anchors, mut role) = (BTreeMap::new(), String::new());
    let mut lines = resources.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(id) = line.strip_prefix("  ").and_then(|id| id.strip_suffix(':')) {
            if !id.starts_with([' ', '#']) {
                role = id.to_owned();
                if line_is_role(lines.peek()) {
                    all.entry(role.clone()).or_default();
                }
            }
            continue;
        }
        let text = line.trim_start();
        if let Some(anchor) = text.strip_prefix("- *") {
            let block: &Vec<&str> = &anchors[anchor];
            all.entry(role.clone()).or_default().push(statement(block));
            continue;
        }
        let anchor = text.strip_prefix("- &").filter(|anchor| anchor.starts_with("Read"));
        if !(text.starts_with("- Sid: ") || anchor.is_some()) {
            continue;
        }
        let indent = line.len() - text.len();
        let mut block = vec![];
        while let Some(next) = lines.next_if(|next| next.len() - next.trim_start().len() > indent) {
            block.push(next.trim());
        }
        if let Some(anchor) = anchor {
            anchors.insert(anchor, block.clone());
        }
        if block.contains(&"Effect: Allow") {
            all.entry(role.clone()).or_default().push(statement(&block));
        }
    }
    all
}

fn line_is_role(line: Option<&&str>) -> bool {
    line.is_some_and(|line| line.trim() == "Type: AWS::IAM::Role")
}

fn statement(block: &[&str]) -> Statement {
    Statement { actions: list(block, "Action:"), resources: list(block, "Resource:") }
}

/// The items of a field, however YAML has them.
fn list(block: &[&str], field: &str) -> BTreeSet<String> {
    let at = block.iter().position(|line| line.starts_with(field)).unwrap_or_else(|| panic!("{block:?}"));
    let inline = block[at].trim_start_matches(field).trim().trim_matches(['[', ']']);
    let below = block[at + 1..].iter().map_while(|line| line.strip_prefix("- "));
    inline
        .split(", ")
        .chain(below)
        .map(|item| item.replace('\'', ""))
        .filter(|item| !item.is_empty())
        .collect()
}

#[test]
fn routes_act_on_the_stacks_own_things_only() {
    for (api, _) in infra::apis() {
        let roles = statements(&file(&format!("{api}.yaml")));
        assert!(roles.len() > 10, "{api}: only {} roles were found", roles.len());
        for (role, statements) in roles {
            let own_logs = format!("!GetAtt {}Logs.Arn", role.strip_suffix("Role").expect("…Role"));
            assert!(statements.len() >= 2, "{role}: {statements:?}");
            for Statement { actions, resources } in statements {
                for action in actions {
                    let known = ROUTES.iter().find(|(start, _)| action.starts_with(start));
                    for resource in &resources {
                        let fits = match known {
                            Some((_, known)) => known.contains(&resource.as_str()),
                            None => action.starts_with("logs:") && *resource == own_logs,
                        };
                        assert!(fits, "{role}: {action} on {resource}");
                    }
                }
            }
        }
    }
}

#[test]
fn what_works_behind_the_door_may_what_is_written_here() {
    let roles = statements(&file("../template.yaml"));
    assert_eq!(
        roles.keys().map(String::as_str).collect::<BTreeSet<_>>(),
        ROOT.iter().map(|(role, _)| *role).collect()
    );
    for (role, allowed) in ROOT {
        let found: BTreeSet<_> =
            roles[*role].iter().map(|one| (one.actions.clone(), one.resources.clone())).collect();
        let own = |list: &str, by: &str| list.split(by).map(str::to_owned).collect::<BTreeSet<_>>();
        let allowed =
            allowed.iter().map(|(actions, resources)| (own(actions, " "), own(resources, ", "))).collect();
        assert_eq!(found, allowed, "{role}");
    }
}

#[test]
fn users_code_may_nothing() {
    let template = file("../template.yaml");
    let section = |id: &str| {
        let (_, rest) = template.split_once(&format!("\n  {id}:\n")).expect("it is there");
        rest.split("\n\n").next().unwrap_or_default().to_owned()
    };
    let role = section("UserFunctionRole");
    assert!(role.contains("PermissionsBoundary: !Ref NothingAtAll"), "{role}");
    assert!(!role.contains("Policies") && !role.contains("ManagedPolicyArns"), "{role}");
    let boundary = section("NothingAtAll");
    assert!(!boundary.contains("Allow") && boundary.contains("Effect: Deny, Action: '*', Resource: '*'"));
}

/// `*` and nothing else as a resource: only where AWS has no other, and then a comment above or beside it says so.
#[test]
fn a_resource_that_is_everything_is_explained() {
    let mut found = Vec::new();
    let stacks = infra::apis().into_iter().map(|(api, _)| format!("{api}.yaml"));
    for name in stacks.chain(["../template.yaml".to_owned(), "deploy-role.yaml".to_owned()]) {
        let template = file(&name);
        let lines: Vec<_> = template.lines().map(str::trim).collect();
        for (at, line) in lines.iter().enumerate() {
            let is_everything =
                line.contains("Resource: '*'") || line.contains("Resource: [*") || *line == "- '*'";
            if !is_everything || line.contains("Effect: Deny") {
                continue;
            }
            let start =
                lines[..at].iter().rposition(|line| line.contains("Sid: ")).expect("statements have names");
            let explained = lines[start - 1].starts_with('#')
                || lines[start..at].iter().any(|line| line.starts_with('#'));
            assert!(explained, "{name}, line {}: why?", at + 1);
            found.push(lines[start].replace("- Sid: ", ""));
        }
    }
    // The role of the pipeline, and nobody else. Adding one is a decision, taken here.
    assert_eq!(found, ["Templates", "EventSources", "LookAtEventSources", "MakeSecretText", "LogDelivery"]);
}

#[test]
fn a_jobs_message_is_hidden_six_times_as_long_as_a_worker_may_take() {
    let template = file("../template.yaml");
    let number = |section: &str, field: &str| -> u64 {
        let (_, rest) = template.split_once(&format!("\n  {section}:\n")).expect("it is there");
        let (_, rest) = rest.split_once(&format!("{field}: ")).expect("it is set");
        rest.lines().next().and_then(|text| text.parse().ok()).expect("a number")
    };
    assert!(number("JobQueue", "VisibilityTimeout") >= 6 * number("Worker", "Timeout"));
    for setting in
        ["FunctionResponseTypes: [ReportBatchItemFailures]", "ScalingConfig: { MaximumConcurrency: "]
    {
        assert!(template.contains(setting), "{setting}");
    }
}
