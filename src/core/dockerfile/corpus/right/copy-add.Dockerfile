FROM a
COPY a b /c/
COPY --from=0 --chown=1:2 --chmod=u=rwX,go=r --link --parents=true --exclude=*.md --exclude="a b" src/ $TARGET
COPY ["a b", "c\\d", "/e f/"]
COPY --link=false x \
  y
ADD https://example.com/x.tar.gz /x
ADD --checksum=sha256:00 --keep-git-dir=true --unpack=false --chown=$U --chmod=0755 --link --exclude=x https://github.com/a/b.git#v1 /src
ADD --unpack https://example.com/x.tar.gz /x
