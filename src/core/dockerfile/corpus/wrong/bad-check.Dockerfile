# check=skop=all
FROM a
