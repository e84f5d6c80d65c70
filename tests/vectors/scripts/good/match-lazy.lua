-- expect: returns a
return ("<a><b>"):match("<(.-)>")
