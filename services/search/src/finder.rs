//! What can be looked for.

use component::ServiceContext;
use contract::{Answer, CallContext, Pending, Refusal};
use search_api::{FindPeople, FindPhotos, PersonHit, PhotoHit};
use storage::Database;

use crate::dialect::{self, PageRange, Terms};

/// The component: an index of photos and one of people.
pub struct Finder {
    db: Database,
}

/// Users rarely read further, and ranking all hits again for each page is expensive.
pub const OFFSET_MAX: u32 = 10_000;
/// Hits in one call.
const LIMIT_MAX: u32 = 100;

impl Finder {
    /// The component on its ground.
    pub fn open(context: &ServiceContext) -> Self {
        Self { db: context.db.clone() }
    }

    /// Photos whose caption or tags hold every term. Best match first (BM25,
    /// Robertson and Zaragoza 2009), equal ones by ascending id: pages fit
    /// together as long as the index stays the same.
    ///
    /// # Errors
    /// 400 without a word to look for.
    pub async fn photos(&self, terms: &str, range: PageRange) -> Result<Vec<PhotoHit>, Refusal> {
        let terms = Terms::read(terms)?;
        let mut read = self.db.read().await?;
        Ok(dialect::find_photos(&mut read, &terms, range).await?)
    }

    /// People whose name or handle holds every term, in the order of [`Finder::photos`].
    ///
    /// # Errors
    /// 400 without a word to look for.
    pub async fn people(&self, terms: &str, range: PageRange) -> Result<Vec<PersonHit>, Refusal> {
        let terms = Terms::read(terms)?;
        let mut read = self.db.read().await?;
        Ok(dialect::find_people(&mut read, &terms, range).await?)
    }
}

impl PageRange {
    fn asked(offset: u32, limit: u32) -> Result<Self, Refusal> {
        if offset > OFFSET_MAX || !(1..=LIMIT_MAX).contains(&limit) {
            let sentence = format!("`offset` ends at {OFFSET_MAX}, `limit` is 1 to {LIMIT_MAX}");
            return Err(Refusal::bad_request("stretch_invalid", sentence));
        }
        Ok(Self { offset, limit })
    }
}

impl Answer<FindPhotos> for Finder {
    fn answer<'a>(&'a self, _: &'a CallContext, call: FindPhotos) -> Pending<'a, Vec<PhotoHit>> {
        Box::pin(async move { self.photos(&call.terms, PageRange::asked(call.offset, call.limit)?).await })
    }
}

impl Answer<FindPeople> for Finder {
    fn answer<'a>(&'a self, _: &'a CallContext, call: FindPeople) -> Pending<'a, Vec<PersonHit>> {
        Box::pin(async move { self.people(&call.terms, PageRange::asked(call.offset, call.limit)?).await })
    }
}
