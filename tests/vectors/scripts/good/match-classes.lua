-- expect: returns Az09_ ok
return ("  Az09_!"):match("[%w_]+") .. " " .. (("\t \n"):match("^%s+$") and "ok" or "no")
