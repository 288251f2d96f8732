//! What else callers do: keys, workspaces that come and go, and functions saved and saved again by the other API.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::{Client, unique};

use crate::Dice;
use crate::load::{Caller, Gone, PYTHON, fields_queued, pick, send};

/// What the server acknowledged of these.
#[derive(Default)]
pub(crate) struct Kept {
    /// Keys that work, by id.
    keys: BTreeMap<String, String>,
    /// Keys that don't any more.
    revoked: BTreeSet<String>,
    /// Where nothing is any more.
    gone: BTreeSet<String>,
    /// Functions saved by the other API: by caller, so that each has one writer, and path.
    saved: BTreeMap<(u64, String), Saved>,
}

/// A function that says which of its saves it is.
#[derive(Clone, Debug)]
struct Saved {
    url: String,
    /// The last save that was acknowledged, and the last that was tried.
    acknowledged: u64,
    tried: u64,
    /// How many of its runs were answered.
    runs: u64,
}

impl Saved {
    /// This save is in force: one that was under way when the server died is done or not, and from now on stays so.
    fn settle(&mut self, save: u64) {
        assert!((self.acknowledged..=self.tried).contains(&save), "save {save} is in force of {self:?}");
        (self.acknowledged, self.tried) = (save, save);
    }
}

fn source(save: u64) -> String {
    BASE64_STANDARD.encode(format!("exports.handler = async () => ({{ save: {save} }});"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Where a function of the other API is.
fn path(function: &Value) -> String {
    format!("/api/workspaces/{}/functions/{}", text(&function["workspaceId"]), text(&function["id"]))
}

impl Caller {
    pub(crate) async fn use_keys(&mut self, dice: &mut Dice) -> Result<(), Gone> {
        let path = format!("/workspaces/{}/auth-keys", self.functions.workspace);
        let keys: Vec<_> = self.told.lock().unwrap().kept.keys.clone().into_iter().collect();
        match dice.roll(8) {
            0 if !keys.is_empty() => {
                let (id, key) = keys[dice.roll(keys.len() as u64) as usize].clone();
                // From here on nobody knows whether it works, until the answer says that it doesn't.
                if self.told.lock().unwrap().kept.keys.remove(&id).is_none() {
                    return Ok(());
                }
                let (status, answer) =
                    send(self.user.request(Method::DELETE, &format!("{path}/{id}"))).await?;
                assert_eq!(status, 200, "{answer}");
                self.told.lock().unwrap().kept.revoked.insert(key);
            }
            1..5 if !keys.is_empty() => {
                let (_, key) = &keys[dice.roll(keys.len() as u64) as usize];
                let functions: Vec<_> = self.functions.all().cloned().collect();
                let function = pick(&functions, dice);
                let event = json!({"n": dice.roll(1 << 40)});
                let path = format!("/functions/{function}/invoke/workspace");
                let (status, answer) =
                    send(self.user.with_token(key).request(Method::POST, &path).json(&event)).await?;
                match status {
                    200 | 202 => self.told.lock().unwrap().invoked(function, &event, &answer),
                    // Someone else revoked it meanwhile.
                    401 | 429 => {}
                    _ => panic!("a key was answered {status}: {answer}"),
                }
            }
            _ => {
                let (status, made) = send(self.user.request(Method::POST, &path)).await?;
                assert_eq!(status, 200, "{made}");
                self.told.lock().unwrap().kept.keys.insert(text(&made["id"]), text(&made["key"]));
            }
        }
        Ok(())
    }

    /// A workspace that is deleted while its jobs wait or run.
    pub(crate) async fn make_and_delete_workspace(&mut self, dice: &mut Dice) -> Result<(), Gone> {
        let (root, made, deleted) =
            if dice.roll(2) == 0 { ("/workspaces", 200, 200) } else { ("/api/workspaces", 201, 204) };
        let fields = json!({"name": unique("ws ")});
        let (status, workspace) = send(self.user.request(Method::POST, root).json(&fields)).await?;
        assert_eq!(status, made, "{workspace}");
        let id = text(&workspace["id"]);
        let mut gone = vec![format!("/workspaces/{id}"), format!("/api/workspaces/{id}")];
        for _ in 0..dice.roll(3) {
            let mut fields = fields_queued("PYTHON", PYTHON);
            fields["name"] = unique("fn-").into();
            fields["workspace_id"] = id.clone().into();
            let (status, function) =
                send(self.user.request(Method::POST, "/functions/").json(&fields)).await?;
            assert_eq!(status, 200, "{function}");
            let function = format!("/functions/{}", text(&function["id"]));
            for _ in 0..dice.roll(3) {
                let event =
                    json!({"n": 1, "for": dice.roll(50) as f64 / 1000.0, "big": dice.roll(2) * 70_000});
                let request = self.user.request(Method::POST, &format!("{function}/invoke")).json(&event);
                let (status, answer) = send(request).await?;
                assert_eq!(status, 202, "{answer}");
                gone.push(format!("/jobs/{}", answer["job_id"]));
            }
            gone.push(function);
        }
        let (status, answer) = send(self.user.request(Method::DELETE, &format!("{root}/{id}"))).await?;
        assert_eq!(status, deleted, "{answer}");
        self.told.lock().unwrap().kept.gone.extend(gone);
        Ok(())
    }

    /// Saves a function by the other API, anew or once more, and asks for its URL.
    pub(crate) async fn save(&mut self, dice: &mut Dice) -> Result<(), Gone> {
        let own: Vec<_> = {
            let told = self.told.lock().unwrap();
            told.kept
                .saved
                .iter()
                .filter(|((of, _), _)| *of == self.number)
                .map(|(at, s)| (at.clone(), s.clone()))
                .collect()
        };
        if own.is_empty() || (own.len() < 3 && dice.roll(4) == 0) {
            let workspace = format!("/api/workspaces/{}", self.functions.saves);
            let fields =
                json!({"name": unique("fn-"), "runtime": "Node.js 20", "code": source(0), "public": true});
            let request = self.user.request(Method::POST, &format!("{workspace}/functions")).json(&fields);
            let (status, made) = send(request).await?;
            assert_eq!(status, 201, "{made}");
            let url = text(&made["invocationUrl"]);
            let url = url[url.find("/run/").expect("a trigger's path")..].to_owned();
            let saved = Saved { url, acknowledged: 0, tried: 0, runs: 0 };
            self.told.lock().unwrap().kept.saved.insert((self.number, path(&made)), saved);
            return Ok(());
        }
        let (at, before) = &own[dice.roll(own.len() as u64) as usize];
        let note = |change: &dyn Fn(&mut Saved)| {
            change(self.told.lock().unwrap().kept.saved.get_mut(at).expect("nothing removes it"));
        };
        if dice.roll(2) == 0 {
            let next = before.tried + 1;
            note(&|saved| saved.tried = next);
            let request = self.user.request(Method::PATCH, &at.1).json(&json!({"code": source(next)}));
            let (status, answer) = send(request).await?;
            assert_eq!(status, 200, "{answer}");
            note(&|saved| saved.acknowledged = next);
        } else {
            let (status, answer) = send(self.user.without_token().request(Method::GET, &before.url)).await?;
            if status != 429 {
                let save = answer["save"].as_u64().filter(|_| status == 200);
                let save = save.unwrap_or_else(|| panic!("a URL was answered {status}: {answer}"));
                note(&|saved| {
                    saved.settle(save);
                    saved.runs += 1;
                });
            }
        }
        Ok(())
    }
}

impl Kept {
    /// Some of it, or all.
    pub(crate) async fn check(&mut self, user: &Client, mut some: Option<&mut Dice>) {
        let mut chosen = |of: usize| some.as_mut().is_none_or(|dice| dice.roll(of as u64) < 3);
        let nowhere = "/functions/00000000-0000-4000-8000-000000000000/invoke/workspace";
        for key in self.keys.values().filter(|_| chosen(self.keys.len())) {
            assert_eq!(user.with_token(key).post(nowhere, &json!({})).await.status, 404, "a key is lost");
        }
        for key in self.revoked.iter().filter(|_| chosen(self.revoked.len())) {
            assert_eq!(user.with_token(key).post(nowhere, &json!({})).await.status, 401, "a key is back");
        }
        for path in self.gone.iter().filter(|_| chosen(self.gone.len())) {
            assert_eq!(user.get(path).await.status, 404, "{path} is back");
        }
        let all = self.saved.len();
        for ((_, path), saved) in self.saved.iter_mut().filter(|_| chosen(all)) {
            let function = user.get(path).await.expect(200);
            let save = (0..=saved.tried).find(|&save| function["code"] == source(save));
            let save = save.unwrap_or_else(|| panic!("none of the saves of {saved:?}: {function}"));
            saved.settle(save);
            let logs = user.get(&format!("{path}/logs?limit=1")).await.expect(200);
            assert!(
                logs["total"].as_u64() >= Some(saved.runs),
                "{} runs of {path} became {logs}",
                saved.runs
            );
        }
    }

    pub(crate) fn describe(&self) -> String {
        let saves: u64 = self.saved.values().map(|saved| saved.acknowledged).sum();
        let (keys, revoked, gone) = (self.keys.len(), self.revoked.len(), self.gone.len());
        format!(
            "{keys} keys work, {revoked} are revoked; {gone} paths are gone; {saves} saves by the other API"
        )
    }
}
