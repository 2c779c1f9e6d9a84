# The suite in images of its own: one build, then one image per program with that program and nothing else.
#   docker build --target feed -t cleave/feed .
# compose.yaml builds and starts all of them.

# SQLite and the program are linked against this Debian's libc; the images below have the same.
FROM docker.io/library/rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# Packages by name: the laboratory (the load generator, the terminal) is no part of an image.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bins \
        --package node --package suite \
        --package profile --package follower --package feed --package search --package photo \
    && mkdir -p /out/data \
    && cp target/release/registry target/release/gateway target/release/profile target/release/follower \
        target/release/feed target/release/search target/release/photo /out/

# libc, libgcc and certificates; no shell, no package manager, and a user who owns nothing.
FROM gcr.io/distroless/cc-debian12:nonroot AS base
# A volume that is mounted here for the first time belongs to whom this folder belongs to.
COPY --from=build --chown=65532:65532 /out/data /data
ENV CLEAVE_LISTEN=0.0.0.0:7100 CLEAVE_DATA=/data MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=4194304 MALLOC_TRIM_THRESHOLD_=524288
USER 65532:65532
EXPOSE 7100

FROM base AS registry
COPY --from=build /out/registry /registry
HEALTHCHECK --interval=2s --timeout=3s CMD ["/registry", "--check"]
ENTRYPOINT ["/registry"]

FROM base AS gateway
COPY --from=build /out/gateway /gateway
EXPOSE 8080
HEALTHCHECK --interval=2s --timeout=3s CMD ["/gateway", "--check"]
ENTRYPOINT ["/gateway"]

FROM base AS profile
COPY --from=build /out/profile /profile
HEALTHCHECK --interval=2s --timeout=3s CMD ["/profile", "--check"]
ENTRYPOINT ["/profile"]

FROM base AS follower
COPY --from=build /out/follower /follower
HEALTHCHECK --interval=2s --timeout=3s CMD ["/follower", "--check"]
ENTRYPOINT ["/follower"]

FROM base AS feed
COPY --from=build /out/feed /feed
HEALTHCHECK --interval=2s --timeout=3s CMD ["/feed", "--check"]
ENTRYPOINT ["/feed"]

FROM base AS search
COPY --from=build /out/search /search
HEALTHCHECK --interval=2s --timeout=3s CMD ["/search", "--check"]
ENTRYPOINT ["/search"]

FROM base AS photo
COPY --from=build /out/photo /photo
HEALTHCHECK --interval=2s --timeout=3s CMD ["/photo", "--check"]
ENTRYPOINT ["/photo"]
