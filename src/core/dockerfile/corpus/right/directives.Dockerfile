# syntax=docker/dockerfile:1.20
# Escape = `
#check=skip=JSONArgsRecommended, FromAsCasing;error=true;experimental=all
# not=a directive any more
# escape=\
FROM c AS d
RUN one `
  two \three
ENV A=`"x B="a`"b" C=c:\dir
