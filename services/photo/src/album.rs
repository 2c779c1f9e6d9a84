//! What can be done with a photo.

use bytes::Bytes;
use component::{IdempotentWrite, ServiceContext};
use contract::{Answer, CallContext, Pending, Refusal, RefusalKind};
use photo_api::{Photo, PhotoDeleted, PhotoId, PhotoPosted, PhotosByIds};
use profile_api::UserId;
use runtime::{clock, random};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use storage::{BlobReader, Blobs, Bus, Database, Effect, Tx};
use tokio::sync::Notify;

use crate::decode_pool::DecodePool;
use crate::picture::Format;
use crate::store::{self, Files};
use crate::{NAME, captions};

/// The component: photos and their likes.
pub struct Album {
    pub(crate) db: Database,
    bus: Bus,
    pub(crate) blobs: Blobs,
    /// Where uploads wait and pictures are developed.
    pub decode_pool: DecodePool,
    /// Notified when an account has gone of which not everything is forgotten yet.
    pub(crate) has_left_over: Notify,
}

/// A photo to post, its words not yet checked.
#[derive(Clone, Debug)]
pub struct Upload {
    /// What the bytes are.
    pub format: Format,
    /// The original.
    pub bytes: Bytes,
    /// As the sender wrote it.
    pub caption: String,
    /// Separated by commas.
    pub tags: String,
}

/// A photo as one asker sees it.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct View {
    /// Public metadata.
    #[serde(flatten)]
    pub photo: Photo,
    /// Rises with every like that comes or goes, from 1.
    pub version: u64,
    /// Whether the caller likes it; absent for anonymous callers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub liked: Option<bool>,
}

/// A like that was given or taken back.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Liking {
    /// How many like it now.
    pub likes: u64,
    /// Rises with every like that comes or goes, from 1.
    pub version: u64,
    /// Whether the asker does.
    pub liked: bool,
}

impl Album {
    /// The component on its ground.
    ///
    /// # Errors
    /// When the kernel gives no threads to decode pictures on.
    pub fn open(context: &ServiceContext) -> Result<Self, Refusal> {
        let no_threads = |why| Refusal::internal(format!("pictures cannot be decoded: {why}"));
        Ok(Self {
            db: context.db.clone(),
            bus: context.bus.clone(),
            blobs: context.blobs.clone(),
            decode_pool: DecodePool::start().map_err(no_threads)?,
            has_left_over: Notify::new(),
        })
    }

    /// Posts a photo. Its id follows from the author and the key, so that a
    /// repeat, and the same trace in another topology, make the same photo. Without a
    /// key it is one that was never given and never will be.
    ///
    /// # Errors
    /// 422 for words or pictures that break a rule, 401 once the account is
    /// gone, 503 and 504 when there is no room or no time.
    pub async fn post(&self, cx: &CallContext, author: UserId, upload: Upload) -> Result<Photo, Refusal> {
        let Upload { format, bytes, caption, tags } = upload;
        let (caption, tags) = (captions::caption(&caption)?, captions::tags(&tags)?);
        let id = match &cx.key {
            Some(key) => PhotoId::derived("photo", &[&author.raw().to_le_bytes(), key.as_bytes()]),
            None => PhotoId::new(random::unique().map_err(|why| Refusal::internal(why.to_string()))?),
        };
        let size = bytes.len() as u64;
        let content = self.decode_pool.fingerprint(bytes.clone()).await;
        let write =
            IdempotentWrite::new(NAME, cx, author, &("post", format.media_type(), content, &caption, &tags));

        // A photo that is there already is most likely a repeat: not worth decoding again.
        if self.exists(id).await?
            && let Some(first) = write.stored_reply(&mut self.db.write().await?).await?
        {
            return Ok(first);
        }

        let picture = self.decode_pool.decode(cx, author, format, bytes.clone()).await?;
        let keep = || {
            futures_util::future::try_join(
                self.blobs.put(bytes.clone()),
                self.blobs.put(picture.thumbnail.clone()),
            )
        };
        let (original, thumbnail) = keep().await?;
        let files = Files { original, thumbnail, media_type: format.media_type().to_owned() };
        let photo = Photo {
            id,
            author,
            caption,
            tags,
            width: picture.width,
            height: picture.height,
            bytes: size,
            likes: 0,
            posted_us: clock::wall_us(),
        };

        let event = PhotoPosted { photo };
        let mut publication = self.bus.publication(cx, &event);
        loop {
            publication.gather().await;
            let mut tx = self.db.write().await?;
            if let Some(first) = write.stored_reply(&mut tx).await? {
                return Ok(first);
            }
            self.must_exist(&mut tx, author).await?;
            if ![&files.original, &files.thumbnail].into_iter().all(|key| self.blobs.has(key)) {
                // Swept since: the same bytes had been there for long, and no photo named them.
                drop(tx);
                keep().await?;
                continue;
            }
            store::insert(tx.conn(), &event.photo, &files).await?;
            if publication.publish(&mut tx, format!("PhotoPosted/{id}")).await? == Effect::Outdated {
                continue;
            }
            write.store_reply(&mut tx, &event.photo).await?;
            tx.commit().await?;
            return Ok(event.photo);
        }
    }

    /// A photo as the asker sees it.
    ///
    /// # Errors
    /// 404, or 401 once the asker's account is gone.
    pub async fn view(&self, cx: &CallContext, id: PhotoId) -> Result<View, Refusal> {
        let mut read = self.db.read().await?;
        let (photo, version) = store::by_id(&mut read, id).await?.ok_or_else(no_photo)?;
        let liked = match cx.principal {
            Some(asker) => match store::liked(&mut read, id, asker).await? {
                (_, true) => return Err(account_gone()),
                (liked, false) => Some(liked),
            },
            None => None,
        };
        Ok(View { photo, version, liked })
    }

    /// Where a photo's bytes are.
    ///
    /// # Errors
    /// 404.
    pub async fn files(&self, id: PhotoId) -> Result<Files, Refusal> {
        let mut read = self.db.read().await?;
        store::files(&mut read, id).await?.ok_or_else(no_photo)
    }

    /// The bytes under a key of [`Files`], read as they are sent.
    ///
    /// # Errors
    /// The object store's own.
    pub async fn bytes(&self, key: &str) -> Result<BlobReader, Refusal> {
        self.blobs.read(key).await
    }

    /// Gives or takes back a like; twice is once.
    ///
    /// # Errors
    /// 404, or 401 once the account is gone.
    pub async fn like(
        &self,
        cx: &CallContext,
        liker: UserId,
        id: PhotoId,
        liked: bool,
    ) -> Result<Liking, Refusal> {
        let write = IdempotentWrite::new(NAME, cx, liker, &("like", id, liked));
        let mut tx = self.db.write().await?;
        if let Some(first) = write.stored_reply(&mut tx).await? {
            return Ok(first);
        }
        self.must_exist(&mut tx, liker).await?;
        let likes = store::set_like(tx.conn(), id, liker, liked).await?.ok_or_else(no_photo)?;
        let liking = Liking { likes: likes.count, version: likes.version, liked };
        write.store_reply(&mut tx, &liking).await?;
        tx.commit().await?;
        Ok(liking)
    }

    /// Deletes a photo of one's own.
    ///
    /// # Errors
    /// 404, or 403 if it belongs to another user.
    pub async fn delete(&self, cx: &CallContext, me: UserId, id: PhotoId) -> Result<(), Refusal> {
        let write = IdempotentWrite::new(NAME, cx, me, &("delete", id));
        let mut tx = self.db.write().await?;
        if let Some(()) = write.stored_reply(&mut tx).await? {
            return Ok(());
        }
        let author = store::author(tx.conn(), id).await?.ok_or_else(no_photo)?;
        if author != me {
            let sentence = "only its author may delete a photo";
            return Err(Refusal::new(RefusalKind::Forbidden, "photo_foreign", sentence));
        }
        store::delete(tx.conn(), id).await?;
        self.publish_deleted(cx, &mut tx, PhotoDeleted { id, author }).await?;
        write.store_reply(&mut tx, &()).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Publishes that a photo is gone.
    pub(crate) async fn publish_deleted(
        &self,
        cx: &CallContext,
        tx: &mut Tx,
        event: PhotoDeleted,
    ) -> Result<(), Refusal> {
        self.bus.publish(cx, tx, format!("PhotoDeleted/{}", event.id), &event).await
    }

    async fn exists(&self, id: PhotoId) -> Result<bool, Refusal> {
        let mut read = self.db.read().await?;
        Ok(store::author(&mut read, id).await?.is_some())
    }

    /// A token outlives its account by hours; what comes with it then has no owner.
    async fn must_exist(&self, tx: &mut Tx, user: UserId) -> Result<(), Refusal> {
        if store::is_gone(tx.conn(), user).await? {
            return Err(account_gone());
        }
        Ok(())
    }
}

/// Most ids in one [`PhotosByIds`].
const IDS_MAX: usize = 100;

impl Answer<PhotosByIds> for Album {
    fn answer<'a>(&'a self, _: &'a CallContext, call: PhotosByIds) -> Pending<'a, Vec<Photo>> {
        Box::pin(async move {
            if call.ids.len() > IDS_MAX {
                return Err(Refusal::bad_request(
                    "too_many_ids",
                    format!("ask for {IDS_MAX} photos at most"),
                ));
            }
            let mut read = self.db.read().await?;
            Ok(store::by_ids(&mut read, &call.ids).await?)
        })
    }
}

fn account_gone() -> Refusal {
    let sentence = "the account was deleted; POST /v1/users opens another";
    Refusal::new(RefusalKind::Unauthenticated, "account_gone", sentence)
}

fn no_photo() -> Refusal {
    Refusal::not_found("photo")
}
