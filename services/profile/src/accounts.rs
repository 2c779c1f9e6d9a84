//! What can be done with an account.

use std::sync::Arc;

use component::{IdempotentWrite, Identity, ServiceContext};
use contract::{Answer, CallContext, Pending, Refusal, RefusalKind};
use profile_api::{Profile, ProfileChanged, ProfileCreated, ProfileDeleted, ProfilesByIds, UserId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use storage::{Bus, Database};

use crate::log_in_limit::LogInLimit;
use crate::passwords::Passwords;
use crate::{NAME, rules, store};

/// The component: accounts, and who may speak for them.
pub struct Accounts {
    db: Database,
    bus: Bus,
    identity: Arc<Identity>,
    passwords: Passwords,
    log_ins: LogInLimit,
}

/// An account to open.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// Unique for ever.
    #[schemars(regex(pattern = rules::HANDLE_PATTERN))]
    pub handle: String,
    /// Display name, on one line, without space around it.
    #[schemars(length(min = 1, max = rules::NAME_MAX))]
    pub name: String,
    /// Kept as an argon2id hash alone.
    #[schemars(length(min = rules::PASSWORD_MIN, max = rules::PASSWORD_MAX))]
    pub password: String,
    /// Empty unless given.
    #[serde(default)]
    #[schemars(length(max = rules::BIO_MAX))]
    pub bio: String,
}

/// Who wants a token, and the proof.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// Whose.
    pub handle: String,
    /// The proof.
    pub password: String,
}

/// What changes in an account; what is not given stays.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Edit {
    /// New display name.
    pub name: Option<String>,
    /// New bio.
    pub bio: Option<String>,
}

/// A token and whom it speaks for.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct Session {
    /// For `Authorization: Bearer`.
    pub token: String,
    /// Whom it speaks for.
    pub user: Profile,
}

impl Accounts {
    /// The component on its ground.
    ///
    /// # Errors
    /// When `argon2_kib` is impossible.
    pub fn open(context: &ServiceContext) -> Result<Self, Refusal> {
        let passwords = Passwords::new(context.settings.argon2_kib)?;
        Ok(Self {
            db: context.db.clone(),
            bus: context.bus.clone(),
            identity: context.identity.clone(),
            passwords,
            log_ins: LogInLimit::new(context.settings.limits_per_address),
        })
    }

    /// Opens an account. A repeat gives the same user and a token made anew:
    /// the store of replies is no place for one. `address` is the client's.
    ///
    /// # Errors
    /// 422 for a field that breaks its rule, 409 for a handle that is or was taken, 429 after too many new accounts, or too many
    /// wrong passwords of repeats.
    pub async fn sign_up(
        &self,
        cx: &CallContext,
        new: NewAccount,
        address: &str,
    ) -> Result<Session, Refusal> {
        rules::handle(&new.handle)?;
        rules::name(&new.name)?;
        rules::bio(&new.bio)?;
        rules::password(&new.password)?;
        let id = UserId::derived("user", &[new.handle.as_bytes()]);
        let profile = Profile { id, handle: new.handle, name: new.name, bio: new.bio, version: 1 };
        // The password is no part of what is remembered; a repeat proves it below.
        let write = IdempotentWrite::new(NAME, cx, id, &("sign_up", &profile));

        self.log_ins.sign_up(address)?;
        // A handle that is taken is not worth the hashing; that of a repeat is.
        let is_taken = store::is_taken(&mut *self.db.read().await?, id).await?;
        // Hashed before the transaction: the one writer never waits for argon2.
        let hash = if is_taken { None } else { Some(self.passwords.hash(cx, new.password.clone()).await?) };
        let mut tx = self.db.write().await?;
        if let Some(first) = write.stored_reply::<Profile>(&mut tx).await? {
            let kept = store::password(tx.conn(), id).await?.ok_or_else(gone)?;
            drop(tx);
            // With its key a sign-up is a log-in, and guessed at no more often.
            let attempt = self.log_ins.begin(&first.handle, address)?;
            let proven = self.passwords.matches(cx, new.password, Some(kept)).await;
            if !matches!(proven, Ok(false)) {
                attempt.take_back();
            }
            return if proven? { self.session(first) } else { Err(key_reused()) };
        }
        let Some(hash) = hash else { return Err(taken()) };
        if !store::insert(tx.conn(), &profile, &hash).await? {
            return Err(taken());
        }
        let event = ProfileCreated { profile };
        self.bus.publish(cx, &mut tx, format!("ProfileCreated/{id}"), &event).await?;
        write.store_reply(&mut tx, &event.profile).await?;
        tx.commit().await?;
        self.session(event.profile)
    }

    /// A token in exchange for the password. `address` is the client's.
    ///
    /// # Errors
    /// 401, which does not reveal whether the handle or the password is wrong; 429 after too many of these.
    pub async fn log_in(
        &self,
        cx: &CallContext,
        credentials: Credentials,
        address: &str,
    ) -> Result<Session, Refusal> {
        let Credentials { handle, password } = credentials;
        // What could not have been chosen is not worth the hashing; nor is it text for every database.
        if password.len() > rules::PASSWORD_MAX || rules::handle(&handle).is_err() {
            return Err(wrong());
        }
        let attempt = self.log_ins.begin(&handle, address)?;
        let proven = self.prove(cx, &handle, password).await;
        if !matches!(proven, Ok(None)) {
            attempt.take_back();
        }
        self.session(proven?.ok_or_else(wrong)?)
    }

    /// The account whose password this is.
    async fn prove(
        &self,
        cx: &CallContext,
        handle: &str,
        password: String,
    ) -> Result<Option<Profile>, Refusal> {
        let mut read = self.db.read().await?;
        let (profile, kept) = store::by_handle(&mut read, handle).await?.unzip();
        drop(read);
        let proven = self.passwords.matches(cx, password, kept).await?;
        Ok(profile.filter(|_| proven))
    }

    /// The account of this id.
    ///
    /// # Errors
    /// 404.
    pub async fn by_id(&self, id: UserId) -> Result<Profile, Refusal> {
        let mut read = self.db.read().await?;
        store::by_ids(&mut read, &[id]).await?.pop().ok_or_else(|| Refusal::not_found("user"))
    }

    /// The account under this handle.
    ///
    /// # Errors
    /// 404.
    pub async fn by_handle(&self, handle: &str) -> Result<Profile, Refusal> {
        rules::handle(handle).map_err(|_| Refusal::not_found("user"))?;
        let mut read = self.db.read().await?;
        let found = store::by_handle(&mut read, handle).await?;
        found.map(|(profile, _)| profile).ok_or_else(|| Refusal::not_found("user"))
    }

    /// Changes the account of `me`; its version rises by one.
    ///
    /// # Errors
    /// 422 for a field that breaks its rule or when nothing is given, 401 once
    /// the account is gone.
    pub async fn edit(&self, cx: &CallContext, me: UserId, edit: Edit) -> Result<Profile, Refusal> {
        edit.name.as_deref().map_or(Ok(()), rules::name)?;
        edit.bio.as_deref().map_or(Ok(()), rules::bio)?;
        if edit.name.is_none() && edit.bio.is_none() {
            let sentence = "give a `name`, a `bio` or both";
            return Err(Refusal::new(RefusalKind::Unprocessable, "nothing_to_change", sentence));
        }
        let write = IdempotentWrite::new(NAME, cx, me, &("edit", &edit));
        let mut tx = self.db.write().await?;
        if let Some(first) = write.stored_reply(&mut tx).await? {
            return Ok(first);
        }
        let edited = store::edit(tx.conn(), me, edit.name.as_deref(), edit.bio.as_deref()).await?;
        let profile = edited.ok_or_else(gone)?;
        let id = format!("ProfileChanged/{me}/{}", profile.version);
        let event = ProfileChanged { profile };
        self.bus.publish(cx, &mut tx, id, &event).await?;
        write.store_reply(&mut tx, &event.profile).await?;
        tx.commit().await?;
        Ok(event.profile)
    }

    /// Deletes the account of `me`. Whatever else it owned goes as the others hear of it.
    ///
    /// # Errors
    /// 401 once the account is gone.
    pub async fn delete(&self, cx: &CallContext, me: UserId) -> Result<(), Refusal> {
        let write = IdempotentWrite::new(NAME, cx, me, &"delete");
        let mut tx = self.db.write().await?;
        if let Some(()) = write.stored_reply(&mut tx).await? {
            return Ok(());
        }
        if !store::retire(tx.conn(), me).await? {
            return Err(gone());
        }
        self.bus.publish(cx, &mut tx, format!("ProfileDeleted/{me}"), &ProfileDeleted { id: me }).await?;
        write.store_reply(&mut tx, &()).await?;
        tx.commit().await?;
        Ok(())
    }

    fn session(&self, user: Profile) -> Result<Session, Refusal> {
        Ok(Session { token: self.identity.token(user.id)?, user })
    }
}

/// Most ids in one [`ProfilesByIds`].
const IDS_MAX: usize = 100;

impl Answer<ProfilesByIds> for Accounts {
    fn answer<'a>(&'a self, _: &'a CallContext, call: ProfilesByIds) -> Pending<'a, Vec<Profile>> {
        Box::pin(async move {
            if call.ids.len() > IDS_MAX {
                return Err(Refusal::bad_request("too_many_ids", format!("ask for {IDS_MAX} users at most")));
            }
            let mut read = self.db.read().await?;
            Ok(store::by_ids(&mut read, &call.ids).await?)
        })
    }
}

fn taken() -> Refusal {
    Refusal::new(RefusalKind::Conflict, "handle_taken", "the handle is or was taken; choose another")
}

fn wrong() -> Refusal {
    Refusal::new(RefusalKind::Unauthenticated, "credentials_wrong", "the handle or the password is wrong")
}

fn gone() -> Refusal {
    Refusal::new(
        RefusalKind::Unauthenticated,
        "account_gone",
        "the account was deleted; POST /v1/users opens another",
    )
}

fn key_reused() -> Refusal {
    let sentence = "this Idempotency-Key came with another request before; send a new one";
    Refusal::new(RefusalKind::Unprocessable, "key_reused", sentence)
}
