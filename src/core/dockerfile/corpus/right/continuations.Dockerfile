
   # a comment that is set in
FROM a
RUN one \
    # a comment inside
    two \   
# another

	three
  USER   root  
RUN a \\
RUN ends with the file \
