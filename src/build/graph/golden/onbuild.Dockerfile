FROM hooked AS first
RUN own
FROM first
RUN after
