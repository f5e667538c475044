FROM a
RUN <<EOF
set -e
echo one \
  two
# no comment
EOF
RUN <<-'TABS' sh
	echo $x
	TABS
RUN <<"#!"
x
#!
RUN 3<<ONE cat /dev/fd/3 - <<TWO > /out
first
ONE
second
TWO
RUN <<PY
#!/usr/bin/env python3
print("<<EOF")
PY
RUN <<EOF
EOF
RUN cat <<< "here string" && echo $((1 << 2))
RUN echo "<<EOF" '<<X' \<<Y
COPY <<a.txt <<-"b.txt" plain /dir/
$a
a.txt
	$b
	b.txt
ADD --chmod=644 <<EOF /x
x
EOF
COPY ["<<EOF", "/x"]
ONBUILD RUN <<EOF
later
EOF
CMD <<EOF
