-- expect: fails
return ("%.3e"):format(1)
