//! Access tokens: JSON Web Tokens, HS256 and nothing else.

use std::sync::Arc;

use domain::{Timestamp, UserId, limits};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ports::Clock;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::secrets::{Secret, Secrets, hex, sha256};

/// The longest token that is looked at, in bytes. Ours are under 300.
const MAX_TOKEN: usize = 2048;
/// How many verified tokens are remembered; each takes about 100 bytes.
const REMEMBERED: usize = 8192;
/// What `typ` an access token claims, so that no other token that we may sign some day passes for one.
const ACCESS: &str = "access";

/// Issues and verifies access tokens.
pub struct Tokens {
    /// The first one signs.
    keys: Vec<Key>,
    clock: Arc<dyn Clock>,
    validation: Validation,
    /// By SHA-256 of the token: whose it is, and until when.
    verified: Cache<[u8; 32], (UserId, Timestamp)>,
}

struct Key {
    id: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    /// Seconds since the epoch.
    iat: i64,
    /// Seconds since the epoch.
    exp: i64,
    jti: Uuid,
    typ: String,
}

/// A token, as a login answers it.
#[derive(Clone, Debug)]
pub struct Issued {
    /// The token.
    pub access_token: String,
    /// Seconds that it lives.
    pub expires_in: u64,
}

impl Tokens {
    /// Tokens that the current secret signs; those that a previous one signed stay good until they expire.
    pub fn new(secrets: &Secrets, clock: Arc<dyn Clock>) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        // Time is told by our own clock, below.
        validation.validate_exp = false;
        validation.set_required_spec_claims(&["exp", "sub"]);
        Self {
            keys: secrets.all().map(Key::new).collect(),
            clock,
            validation,
            verified: Cache::new(REMEMBERED),
        }
    }

    /// A token for a user, good for [`limits::ACCESS_TOKEN`].
    pub fn issue(&self, user: UserId) -> domain::error::Result<Issued> {
        let key = self.keys.first().expect("there is a current secret");
        let now = self.clock.now().as_seconds();
        let lifetime = limits::ACCESS_TOKEN.as_secs();
        let claims = Claims {
            sub: user.to_string(),
            iat: now,
            exp: now.saturating_add_unsigned(lifetime),
            jti: Uuid::new_v4(),
            typ: ACCESS.to_owned(),
        };
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
        let access_token =
            jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(domain::Error::internal)?;
        Ok(Issued { access_token, expires_in: lifetime })
    }

    /// Whose token it is; `None` for anything that isn't a good access token of ours right now.
    pub fn verify(&self, token: &str) -> Option<UserId> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (now, digest) = (self.clock.now(), sha256(token.as_bytes()));
        if let Some((user, expires)) = self.verified.get(&digest) {
            return (now < expires).then_some(user);
        }
        let (user, expires) = self.decode(token)?;
        if now >= expires {
            return None;
        }
        self.verified.insert(digest, (user, expires));
        Some(user)
    }

    fn decode(&self, token: &str) -> Option<(UserId, Timestamp)> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = self.keys.iter().find(|key| key.id == kid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation).ok()?.claims;
        let user = claims.sub.parse().ok().filter(|_| claims.typ == ACCESS)?;
        Some((user, Timestamp::from_millis(claims.exp.checked_mul(1000)?)))
    }
}

impl Key {
    fn new(secret: &Secret) -> Self {
        let key = secret.derive(&[b"access-tokens"]);
        let id = hex(&sha256(&key)[..8]);
        Self { id, encoding: EncodingKey::from_secret(&key), decoding: DecodingKey::from_secret(&key) }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    struct Hand(Mutex<Timestamp>);

    impl Clock for Hand {
        fn now(&self) -> Timestamp {
            *self.0.lock().unwrap()
        }
    }

    impl Hand {
        fn advance(&self, by: Duration) {
            let mut now = self.0.lock().unwrap();
            *now = *now + by;
        }
    }

    const OLD: &str = "an old secret, which is long enough for us";
    const NEW: &str = "the new secret, which is long enough for us";
    const USER: UserId = UserId(42);

    fn tokens(current: &str, previous: &[&str]) -> (Tokens, Arc<Hand>) {
        let clock = Arc::new(Hand(Mutex::new(Timestamp::from_millis(1_700_000_000_000))));
        let secrets = Secrets::new(current, previous.iter().copied()).unwrap();
        (Tokens::new(&secrets, clock.clone()), clock)
    }

    /// Signs whatever is asked for with the key of `tokens`.
    fn forge(tokens: &Tokens, header: serde_json::Value, claims: serde_json::Value) -> String {
        use hmac::Mac;

        let encode = |value: &serde_json::Value| BASE64.encode(value.to_string());
        let signed = format!("{}.{}", encode(&header), encode(&claims));
        let secret = Secrets::new(NEW, []).unwrap();
        let secret = secret.all().next().unwrap();
        assert_eq!(Key::new(secret).id, tokens.keys[0].id);
        let mut mac = crate::secrets::hmac(&secret.derive(&[b"access-tokens"]));
        mac.update(signed.as_bytes());
        format!("{signed}.{}", BASE64.encode(mac.finalize().into_bytes()))
    }

    #[test]
    fn a_token_is_good_until_it_expires() {
        let (tokens, clock) = tokens(NEW, &[]);
        let issued = tokens.issue(USER).unwrap();
        assert_eq!(issued.expires_in, 7200);
        assert_eq!(tokens.verify(&issued.access_token), Some(USER));
        clock.advance(Duration::from_secs(7199));
        assert_eq!(tokens.verify(&issued.access_token), Some(USER), "remembered");
        clock.advance(Duration::from_secs(1));
        assert_eq!(tokens.verify(&issued.access_token), None, "remembered, and expired");
        let (fresh, clock) = self::tokens(NEW, &[]);
        clock.advance(Duration::from_secs(7200));
        assert_eq!(fresh.verify(&issued.access_token), None, "never seen, and expired");
    }

    #[test]
    fn secrets_rotate() {
        let (before, _) = tokens(OLD, &[]);
        let token = before.issue(USER).unwrap().access_token;
        assert_eq!(tokens(NEW, &[OLD]).0.verify(&token), Some(USER));
        assert_eq!(tokens(NEW, &[]).0.verify(&token), None);
        let (during, _) = tokens(NEW, &[OLD]);
        let token = during.issue(USER).unwrap().access_token;
        assert_eq!(tokens(NEW, &[]).0.verify(&token), Some(USER), "the current secret signs");
    }

    #[test]
    fn forgeries_are_refused() {
        let (tokens, _) = tokens(NEW, &[]);
        let (kid, exp) = (tokens.keys[0].id.clone(), 1_700_000_100);
        let claims = json!({"sub": "42", "iat": 1, "exp": exp, "jti": Uuid::nil(), "typ": "access"});
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": kid});
        let good = forge(&tokens, header.clone(), claims.clone());
        assert_eq!(tokens.verify(&good), Some(USER), "the forger's tool works");

        let change = |value: &serde_json::Value, name: &str, to: serde_json::Value| {
            let mut value = value.clone();
            value[name] = to;
            value
        };
        let without = |name: &str| {
            let mut claims = claims.clone();
            claims.as_object_mut().unwrap().remove(name);
            forge(&tokens, header.clone(), claims)
        };
        let (head, rest) = good.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        let none = BASE64.encode(json!({"alg": "none", "typ": "JWT", "kid": kid}).to_string());
        let other_user = BASE64.encode(change(&claims, "sub", json!("43")).to_string());
        let forgeries = [
            format!("{none}.{payload}."),
            format!("{none}.{payload}.{signature}"),
            format!("{head}.{payload}."),
            format!("{head}.{payload}"),
            format!("{head}.{other_user}.{signature}"),
            forge(&tokens, change(&header, "alg", json!("HS512")), claims.clone()),
            forge(&tokens, change(&header, "alg", json!("RS256")), claims.clone()),
            forge(&tokens, change(&header, "kid", json!("other")), claims.clone()),
            forge(&tokens, change(&header, "kid", json!(null)), claims.clone()),
            forge(&tokens, header.clone(), change(&claims, "typ", json!("refresh"))),
            forge(&tokens, header.clone(), change(&claims, "sub", json!("admin"))),
            forge(&tokens, header.clone(), change(&claims, "exp", json!(1_699_999_999))),
            forge(&tokens, header.clone(), change(&claims, "exp", json!(i64::MAX))),
            without("exp"),
            without("typ"),
            without("sub"),
            self::tokens(OLD, &[]).0.issue(USER).unwrap().access_token,
            String::new(),
            "a".repeat(1_000_000),
        ];
        for forgery in forgeries {
            assert_eq!(tokens.verify(&forgery), None, "{forgery:.300}");
        }
    }

    proptest! {
        #[test]
        fn anything_else_is_refused(text in "[a-zA-Z0-9_.=-]{0,120}", at in 0usize..400, byte in "[a-zA-Z0-9_.-]") {
            let (tokens, _) = tokens(NEW, &[]);
            prop_assert_eq!(tokens.verify(&text), None);
            let token = tokens.issue(USER).unwrap().access_token;
            let at = at % token.len();
            let mut changed = token.clone();
            changed.replace_range(at..=at, &byte);
            // The last character of base64 holds bits that mean nothing, so a change of it may be none.
            prop_assert!(changed == token || at == token.len() - 1 || tokens.verify(&changed).is_none());
        }
    }
}
