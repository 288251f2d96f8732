//! What each word of `x-access` means in IAM: the least that does it, on this stack's own things.

/// One statement of a policy.
pub struct Statement {
    /// Its name.
    pub sid: &'static str,
    /// Actions.
    pub actions: &'static [&'static str],
    /// Resources, as CloudFormation's `Sub` takes them.
    pub resources: &'static [&'static str],
    /// A condition, as lines of YAML.
    pub condition: Option<&'static str>,
}

const TABLE: &[&str] = &["${TableArn}", "${TableArn}/index/GSI1", "${TableArn}/index/GSI2"];
const FUNCTIONS: &[&str] =
    &["arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${UserFunctionPrefix}*"];

const fn plain(
    sid: &'static str,
    actions: &'static [&'static str],
    resources: &'static [&'static str],
) -> Statement {
    Statement { sid, actions, resources, condition: None }
}

/// What a function needs to deploy a user's function; an invocation does too where the function isn't there.
const DEPLOY: [Statement; 5] = [
    plain(
        "DeployFunctions",
        &[
            "lambda:GetFunctionConfiguration",
            "lambda:CreateFunction",
            "lambda:UpdateFunctionCode",
            "lambda:UpdateFunctionConfiguration",
            "lambda:PublishVersion",
            "lambda:CreateAlias",
            "lambda:UpdateAlias",
            "lambda:ListAliases",
            "lambda:DeleteAlias",
            "lambda:DeleteFunction",
        ],
        FUNCTIONS,
    ),
    // What is deployed is asked to compile its code.
    plain("InvokeFunctions", &["lambda:InvokeFunction"], FUNCTIONS),
    Statement {
        sid: "PassExecutionRole",
        actions: &["iam:PassRole"],
        resources: &["${ExecutionRoleArn}"],
        condition: Some("StringEquals: { iam:PassedToService: lambda.amazonaws.com }"),
    },
    plain("PackageCode", &["s3:GetObject", "s3:PutObject"], &["${BucketArn}/code/*"]),
    // A blob that isn't there reads as "access denied" without it.
    plain("FindObjects", &["s3:ListBucket"], &["${BucketArn}"]),
];

/// What a word means.
///
/// # Panics
/// Where there is no such word: the generator is the one that reads it.
pub fn statements(word: &str) -> Vec<Statement> {
    match word {
        "table:read" => {
            vec![plain("ReadTable", &["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"], TABLE)]
        }
        "table:write" => vec![plain(
            "WriteTable",
            &[
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
                "dynamodb:DeleteItem",
                "dynamodb:ConditionCheckItem",
            ],
            &["${TableArn}"],
        )],
        // Which requests were answered: records of their own in the table. An answer beyond 64 KB lies in the bucket.
        "idempotency:keep" => vec![
            Statement {
                sid: "KeepAnswers",
                actions: &[
                    "dynamodb:GetItem",
                    "dynamodb:PutItem",
                    "dynamodb:UpdateItem",
                    "dynamodb:DeleteItem",
                    "dynamodb:ConditionCheckItem",
                ],
                resources: &["${TableArn}"],
                condition: Some("ForAllValues:StringLike: { dynamodb:LeadingKeys: ['IDEMPOTENCY#*'] }"),
            },
            plain("KeepLargeAnswers", &["s3:GetObject", "s3:PutObject"], &["${BucketArn}/idempotency/*"]),
        ],
        "code:read" => vec![
            plain("ReadCode", &["s3:GetObject"], &["${BucketArn}/code/*"]),
            plain("FindObjects", &["s3:ListBucket"], &["${BucketArn}"]),
        ],
        "code:write" => vec![plain("WriteCode", &["s3:PutObject"], &["${BucketArn}/code/*"])],
        "payloads:read" => vec![
            plain("ReadPayloads", &["s3:GetObject"], &["${BucketArn}/jobs/*"]),
            plain("FindObjects", &["s3:ListBucket"], &["${BucketArn}"]),
        ],
        "payloads:write" => vec![plain("WritePayloads", &["s3:PutObject"], &["${BucketArn}/jobs/*"])],
        "queue:read" => vec![plain("LookAtQueue", &["sqs:GetQueueAttributes"], &["${QueueArn}"])],
        "queue:send" => vec![plain("QueueJobs", &["sqs:SendMessage"], &["${QueueArn}"])],
        "runtime:read" => {
            vec![plain("LookAtFunctions", &["lambda:GetFunctionConfiguration"], FUNCTIONS)]
        }
        // An invocation deploys the function where it isn't there.
        "runtime:deploy" | "runtime:invoke" => DEPLOY.into(),
        unknown => panic!("x-access says {unknown:?}, which infra/src/access.rs doesn't know"),
    }
}

/// What an operation may do: what its words mean, each statement once.
pub fn policy(words: &[String]) -> Vec<Statement> {
    let mut policy: Vec<Statement> = Vec::new();
    for statement in words.iter().flat_map(|word| statements(word)) {
        // Answers of a route that writes no payload are small.
        let is_needless = statement.sid == "KeepLargeAnswers" && is_table_only(words);
        if !is_needless && policy.iter().all(|known| known.sid != statement.sid) {
            policy.push(statement);
        }
    }
    policy
}

/// Whether the table is all that it touches, so that the small binary does.
pub fn is_table_only(words: &[String]) -> bool {
    words.iter().all(|word| word.starts_with("table:") || word == "idempotency:keep")
}
