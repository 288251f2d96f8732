//! `POST /functions/`

use std::collections::BTreeMap;
use std::sync::Arc;

use app::Functions;
use app::functions::{NewFunction, faults};
use axum::extract::State;
use domain::{Fault, Language, Settings, WorkspaceId};
use serde::Deserialize;
use utoipa::ToSchema;
use uuid::Uuid;
use web::{Body, Caller, Fields, Input, Json, Result};

use super::{Endpoint, ExecutionType, Function, Runtime};

/// A function to create.
#[derive(Deserialize, ToSchema)]
pub struct FunctionCreate {
    /// The name, unique in its workspace regardless of case.
    #[schema(min_length = 1, max_length = 100, extensions(("x-form" = json!("name"))))]
    name: String,
    /// The language.
    runtime: Runtime,
    /// The source: at most 1 MiB, with a handler.
    #[schema(max_length = 1048576, examples("def handler(event):\n    return event\n"))]
    code: String,
    /// `SYNC` (the default) runs the function at once and answers its result; `ASYNC` queues a job.
    execution_type: Option<ExecutionType>,
    /// The workspace to put it in.
    workspace_id: Uuid,
    /// The path of its HTTP trigger; made from the name by default.
    endpoint: Option<Endpoint>,
    /// Memory in MiB; 256 by default.
    #[schema(minimum = 128, maximum = 10240, default = 256)]
    memory_mb: Option<u32>,
    /// Timeout in seconds; 30 by default.
    #[schema(minimum = 1, maximum = 900, default = 30)]
    timeout_seconds: Option<u32>,
    /// Environment variables, at most 4 KB together.
    environment: Option<BTreeMap<String, String>>,
    /// Whether its HTTP trigger can be called without a token or a key; false by default.
    public: Option<bool>,
    /// How often a queued job is run at most while the code fails; 1 by default.
    #[schema(minimum = 1, maximum = 10, default = 1)]
    max_attempts: Option<u32>,
}

impl Input for FunctionCreate {
    /// What no schema can say of the environment, beside what the schema found. Where it found nothing, the use case says
    /// it.
    fn extra(fields: &Fields<'_>) -> Vec<Fault> {
        if fields.are_good() {
            return Vec::new();
        }
        let environment = fields.get("environment").cloned();
        faults(environment.and_then(|all| serde_json::from_value(all).ok()).as_ref())
    }

    fn code(fields: &Fields<'_>) -> Option<(Language, String)> {
        let runtime = serde_json::from_value::<Runtime>(fields.get("runtime")?.clone()).ok()?;
        Some((runtime.into(), fields.text("code")?.to_owned()))
    }
}

/// Saves a function and makes it ready to run.
#[utoipa::path(
    post, path = "/functions/", operation_id = "functions.create", tag = "functions",
    request_body = FunctionCreate,
    responses(
        (status = 200, description = "Saved", body = Function),
        (status = 404, description = "The workspace does not exist, or belongs to another user"),
        (status = 409, description = "Another function in this workspace has this name or endpoint"),
    ),
    extensions(("x-access" = json!(["table:read", "table:write", "code:write", "runtime:deploy"])), ("x-memory" = json!(512))),
    security(("user" = []))
)]
pub async fn create(
    State(functions): State<Arc<Functions>>,
    caller: Caller,
    Body(new): Body<FunctionCreate>,
) -> Result<Json<Function>> {
    let defaults = Settings::default();
    let new = NewFunction {
        workspace_id: WorkspaceId(new.workspace_id),
        name: new.name,
        description: String::new(),
        language: new.runtime.into(),
        code: new.code,
        execution_type: new.execution_type.map(Into::into).unwrap_or_default(),
        endpoint: new.endpoint.map(|endpoint| endpoint.0),
        public: new.public.unwrap_or_default(),
        http_methods: None,
        runtime_label: None,
        settings: Settings {
            memory_mb: new.memory_mb.unwrap_or(defaults.memory_mb),
            timeout_seconds: new.timeout_seconds.unwrap_or(defaults.timeout_seconds),
            environment: new.environment.unwrap_or_default(),
            max_attempts: new.max_attempts.unwrap_or(defaults.max_attempts),
        },
    };
    let function = functions.create(caller.user_id, new).await?;
    let code = functions.code(&function.current).await?;
    Ok(Json(Function::with_code(function, code)))
}
