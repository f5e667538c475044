FROM a
# NAME of who it is for
ARG NAME="a b" OTHER THIRD=$NAME
ENV ONE=1 TWO="two words" THREE=it\ is FOUR='$ONE' FIVE=
ENV LEGACY the "whole" rest  of it
LABEL "com.example.vendor"="ACME Inc" version=1.0 \
      multi="line one \
line two"
LABEL old way
