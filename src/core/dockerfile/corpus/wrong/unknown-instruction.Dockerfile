FROM a

RUNN make
RUN x
