//! Access and refresh tokens: JSON Web Tokens, HS256 and nothing else.

use std::sync::Arc;
use std::time::Duration;

use domain::{SessionId, Timestamp, Token, UserId, limits};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ports::Clock;
use quick_cache::sync::Cache;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::hs256;
use crate::secrets::{Secret, Secrets, hex, sha256};

/// The longest token that is looked at, in bytes. Ours are under 400.
const MAX_TOKEN: usize = 2048;
/// How many verified tokens are remembered; each takes about 150 bytes.
const REMEMBERED: usize = 8192;
/// What `typ` the two kinds of token claim, so that neither passes for the other.
const ACCESS: &str = "access";
const REFRESH: &str = "refresh";

/// Issues and verifies tokens.
pub struct Tokens {
    /// The first one signs.
    keys: Vec<Key>,
    clock: Arc<dyn Clock>,
    validation: Validation,
    /// Access tokens, by their SHA-256.
    verified: Cache<[u8; 32], Token>,
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
    /// Tokens of earlier releases have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<String>,
}

/// An access token, as a login answers it.
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
        hs256::install();
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

    /// Begins a session: an access token that lives this long, and the refresh token with which others are had, which lives
    /// for [`limits::REFRESH_TOKEN`]. `password_changes` is how often the user's password had been changed when it was shown.
    pub fn begin(
        &self,
        user: UserId,
        password_changes: u32,
        lifetime: Duration,
    ) -> domain::error::Result<(Issued, String)> {
        let session = SessionId { id: Uuid::new_v4(), password_changes };
        let access_token = self.sign(user, session.id, session, ACCESS, lifetime)?;
        let refresh_token = self.sign(user, Uuid::new_v4(), session, REFRESH, limits::REFRESH_TOKEN)?;
        Ok((Issued { access_token, expires_in: lifetime.as_secs() }, refresh_token))
    }

    /// Another access token of a session.
    pub fn issue(
        &self,
        user: UserId,
        session: SessionId,
        lifetime: Duration,
    ) -> domain::error::Result<Issued> {
        let access_token = self.sign(user, Uuid::new_v4(), session, ACCESS, lifetime)?;
        Ok(Issued { access_token, expires_in: lifetime.as_secs() })
    }

    fn sign(
        &self,
        user: UserId,
        id: Uuid,
        session: SessionId,
        typ: &str,
        lifetime: Duration,
    ) -> domain::error::Result<String> {
        let key = self.keys.first().expect("there is a current secret");
        let now = self.clock.now().as_seconds();
        let claims = Claims {
            sub: user.to_string(),
            iat: now,
            exp: now.saturating_add_unsigned(lifetime.as_secs()),
            jti: id,
            typ: typ.to_owned(),
            sid: Some(session.to_string()),
        };
        let header = Header { kid: Some(key.id.clone()), ..Header::new(Algorithm::HS256) };
        jsonwebtoken::encode(&header, &claims, &key.encoding).map_err(domain::Error::internal)
    }

    /// What an access token says; `None` for anything that isn't one of ours, or has expired.
    pub fn verify(&self, token: &str) -> Option<Token> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (now, digest) = (self.clock.now(), sha256(token.as_bytes()));
        if let Some(known) = self.verified.get(&digest) {
            return (now < known.expires_at).then_some(known);
        }
        let token = self.decode(token, ACCESS).filter(|token| now < token.expires_at)?;
        self.verified.insert(digest, token);
        Some(token)
    }

    /// What a refresh token says, and its session; `None` for anything that isn't one of ours, or has expired.
    pub fn verify_refresh(&self, token: &str) -> Option<(Token, SessionId)> {
        let token = (token.len() <= MAX_TOKEN).then(|| self.decode(token, REFRESH)).flatten()?;
        let token = Some(token).filter(|token| self.clock.now() < token.expires_at)?;
        Some((token, token.session?))
    }

    fn decode(&self, token: &str, typ: &str) -> Option<Token> {
        let kid = jsonwebtoken::decode_header(token).ok()?.kid?;
        let key = self.keys.iter().find(|key| key.id == kid)?;
        let claims = jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation).ok()?.claims;
        if claims.typ != typ {
            return None;
        }
        Some(Token {
            user: claims.sub.parse().ok()?,
            id: claims.jti,
            session: claims.sid.map(|sid| sid.parse()).transpose().ok()?,
            expires_at: Timestamp::from_millis(claims.exp.checked_mul(1000)?),
        })
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

    use base64::Engine;
    use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
    use ports::memory::ManualClock;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const OLD: &str = "an old secret, which is long enough for us";
    const NEW: &str = "the new secret, which is long enough for us";
    const USER: UserId = UserId(42);

    /// An access token, as a login answers it.
    fn access(tokens: &Tokens) -> String {
        tokens.begin(USER, 0, limits::ACCESS_TOKEN).unwrap().0.access_token
    }

    fn verified(tokens: &Tokens, token: &str) -> Option<UserId> {
        tokens.verify(token).map(|token| token.user)
    }

    fn tokens(current: &str, previous: &[&str]) -> (Tokens, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::default());
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
        let (issued, _) = tokens.begin(USER, 0, limits::ACCESS_TOKEN).unwrap();
        assert_eq!(issued.expires_in, 7200);
        assert_eq!(verified(&tokens, &issued.access_token), Some(USER));
        clock.advance(Duration::from_secs(7199));
        assert_eq!(verified(&tokens, &issued.access_token), Some(USER), "remembered");
        clock.advance(Duration::from_secs(1));
        assert_eq!(tokens.verify(&issued.access_token), None, "remembered, and expired");
        let (fresh, clock) = self::tokens(NEW, &[]);
        clock.advance(Duration::from_secs(7200));
        assert_eq!(fresh.verify(&issued.access_token), None, "never seen, and expired");
    }

    #[test]
    fn a_refresh_token_gets_access_tokens_of_its_session_and_is_none() {
        let (tokens, clock) = tokens(NEW, &[]);
        let (login, refresh) = tokens.begin(USER, 3, limits::ACCESS_TOKEN).unwrap();
        let first = tokens.verify(&login.access_token).unwrap();
        assert_eq!(first.session, Some(SessionId { id: first.id, password_changes: 3 }));
        assert_eq!(tokens.verify(&refresh), None);
        assert_eq!(tokens.verify_refresh(&login.access_token), None);
        clock.advance(limits::REFRESH_TOKEN - Duration::from_secs(1));
        let (shown, session) = tokens.verify_refresh(&refresh).unwrap();
        assert_eq!((shown.user, Some(session)), (USER, first.session));
        let second = tokens.issue(USER, session, limits::ACCESS_TOKEN).unwrap();
        let second = tokens.verify(&second.access_token).unwrap();
        assert_eq!(second.session, first.session);
        assert!(second.id != first.id && second.id != shown.id);
        clock.advance(Duration::from_secs(1));
        assert_eq!(tokens.verify_refresh(&refresh), None, "expired");
    }

    #[test]
    fn secrets_rotate() {
        let (before, _) = tokens(OLD, &[]);
        let token = access(&before);
        assert_eq!(verified(&tokens(NEW, &[OLD]).0, &token), Some(USER));
        assert_eq!(tokens(NEW, &[]).0.verify(&token), None);
        let token = access(&tokens(NEW, &[OLD]).0);
        assert_eq!(verified(&tokens(NEW, &[]).0, &token), Some(USER), "the current secret signs");
    }

    #[test]
    fn forgeries_are_refused() {
        let (tokens, _) = tokens(NEW, &[]);
        let (kid, exp) = (tokens.keys[0].id.clone(), 1_700_000_100);
        let claims = json!({"sub": "42", "iat": 1, "exp": exp, "jti": Uuid::nil(), "typ": "access"});
        let header = json!({"alg": "HS256", "typ": "JWT", "kid": kid});
        let good = forge(&tokens, header.clone(), claims.clone());
        let known = tokens.verify(&good).expect("the forger's tool works");
        assert_eq!((known.user, known.session), (USER, None), "as one of an earlier release");

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
            forge(&tokens, header.clone(), change(&claims, "sid", json!("no session"))),
            forge(&tokens, header.clone(), change(&claims, "sub", json!("admin"))),
            forge(&tokens, header.clone(), change(&claims, "exp", json!(1_699_999_999))),
            forge(&tokens, header.clone(), change(&claims, "exp", json!(i64::MAX))),
            without("exp"),
            without("typ"),
            without("sub"),
            access(&self::tokens(OLD, &[]).0),
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
            let token = access(&tokens);
            let at = at % token.len();
            let mut changed = token.clone();
            changed.replace_range(at..=at, &byte);
            // The last character of base64 holds bits that mean nothing, so a change of it may be none.
            prop_assert!(changed == token || at == token.len() - 1 || tokens.verify(&changed).is_none());
        }
    }
}
