-- expect: fails
return ("%.3f"):format(1)
