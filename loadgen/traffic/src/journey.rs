//! What a user wants done, and which components it needs.

use serde::{Deserialize, Serialize};

/// A journey: perhaps several requests; the unit of throughput.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Journey {
    /// First page of the home feed.
    HomeFeed,
    /// First and second page.
    NextPage,
    /// One photo's metadata.
    ViewPhoto,
    /// One profile.
    ViewProfile,
    /// Photos by one to three words.
    Search,
    /// Like a photo.
    Like,
    /// Follow a user, or stop following.
    Follow,
    /// Post a photo.
    Upload,
    /// Change one's profile.
    EditProfile,
    /// Open an account.
    SignUp,
    /// Get a token.
    LogIn,
    /// First page of a user's own photos.
    UserFeed,
    /// One of the most followed posts, and one of its followers looks for it.
    CelebrityPost,
    /// Post a photo, then look for it at once through another component.
    PostThenRead,
}

impl Journey {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::HomeFeed,
        Self::NextPage,
        Self::ViewPhoto,
        Self::ViewProfile,
        Self::Search,
        Self::Like,
        Self::Follow,
        Self::Upload,
        Self::EditProfile,
        Self::SignUp,
        Self::LogIn,
        Self::UserFeed,
        Self::CelebrityPost,
        Self::PostThenRead,
    ];

    /// Its name in scenarios, records and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::HomeFeed => "home-feed",
            Self::NextPage => "next-page",
            Self::ViewPhoto => "view-photo",
            Self::ViewProfile => "view-profile",
            Self::Search => "search",
            Self::Like => "like",
            Self::Follow => "follow",
            Self::Upload => "upload",
            Self::EditProfile => "edit-profile",
            Self::SignUp => "sign-up",
            Self::LogIn => "log-in",
            Self::UserFeed => "user-feed",
            Self::CelebrityPost => "celebrity-post",
            Self::PostThenRead => "post-then-read",
        }
    }

    /// Whether it changes what is kept. A log-in does not: its token is only signed.
    pub const fn is_write(self) -> bool {
        match self {
            Self::Like
            | Self::Follow
            | Self::Upload
            | Self::EditProfile
            | Self::SignUp
            | Self::CelebrityPost
            | Self::PostThenRead => true,
            Self::HomeFeed
            | Self::NextPage
            | Self::ViewPhoto
            | Self::ViewProfile
            | Self::Search
            | Self::LogIn
            | Self::UserFeed => false,
        }
    }

    /// Groups it belongs to, for selectors.
    pub const fn groups(self) -> &'static [&'static str] {
        match self {
            Self::HomeFeed | Self::NextPage => &["feed", "reads"],
            Self::ViewPhoto => &["photo", "lookups", "reads"],
            Self::ViewProfile => &["profile", "lookups", "reads"],
            Self::Search => &["lookups", "reads"],
            Self::Like | Self::Follow | Self::Upload | Self::EditProfile | Self::SignUp => &["writes"],
            Self::LogIn => &[],
            Self::UserFeed => &["reads"],
            Self::CelebrityPost | Self::PostThenRead => &["writes"],
        }
    }

    /// Components whose answers it waits for: without any of them it fails.
    pub const fn depends_on(self) -> &'static [&'static str] {
        match self {
            Self::HomeFeed | Self::NextPage | Self::CelebrityPost => {
                &["feed", "follower", "photo", "profile"]
            }
            Self::ViewPhoto | Self::Like | Self::Upload => &["photo"],
            Self::ViewProfile | Self::EditProfile | Self::SignUp | Self::LogIn => &["profile"],
            Self::Search => &["search"],
            Self::Follow => &["follower", "profile"],
            Self::UserFeed | Self::PostThenRead => &["feed", "photo", "profile"],
        }
    }

    /// The journey of a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|journey| journey.name() == name)
    }

    /// What a mix may call it: its name, or the short one of the thing looked
    /// at: `feed` is `home-feed`, `photo` is `view-photo`, `profile` is `view-profile`.
    pub fn of_mix(name: &str) -> Option<Self> {
        let short = Self::SHORT_NAMES.into_iter().find(|(short, _)| *short == name);
        short.map_or_else(|| Self::named(name), |(_, journey)| Some(journey))
    }

    /// Short names that a mix may use.
    const SHORT_NAMES: [(&str, Self); 3] =
        [("feed", Self::HomeFeed), ("photo", Self::ViewPhoto), ("profile", Self::ViewProfile)];

    /// Every name that [`Journey::of_mix`] reads.
    pub fn mix_names() -> Vec<&'static str> {
        let short = Self::SHORT_NAMES.into_iter().map(|(short, _)| short);
        Self::ALL.into_iter().map(Self::name).chain(short).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back_and_agree_with_serde() {
        for journey in Journey::ALL {
            assert_eq!(Journey::named(journey.name()), Some(journey));
            assert_eq!(serde_json::to_string(&journey).expect("plain"), format!("\"{}\"", journey.name()));
        }
    }

    #[test]
    fn only_writes_are_in_the_group_of_writes() {
        for journey in Journey::ALL {
            assert_eq!(journey.groups().contains(&"writes"), journey.is_write(), "{}", journey.name());
            assert!(!journey.depends_on().is_empty(), "{} needs a component", journey.name());
        }
    }
}
