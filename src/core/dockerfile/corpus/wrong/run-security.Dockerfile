FROM a
RUN --security=insecur true
