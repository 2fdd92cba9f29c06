# Completes jobs, groups, keys and their values: eval "$(gpu-pricer completion bash)"
_gpu_pricer() {
    local line=${COMP_LINE:0:COMP_POINT} current=${COMP_WORDS[COMP_CWORD]} word prefix
    local -a words
    read -ra words <<< "$line"
    [[ $line == *[[:space:]] ]] && words+=("")
    word=${words[-1]}
    # Readline replaces only what follows the last of its word breaks, such as = and :
    if [[ -n $current && -z ${current//[$COMP_WORDBREAKS]/} ]]; then prefix=$word; else prefix=${word%"$current"}; fi
    mapfile -t COMPREPLY < <("${COMP_WORDS[0]}" completion -- "${words[@]:1}" 2> /dev/null)
    COMPREPLY=("${COMPREPLY[@]#"$prefix"}")
    if [[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} != *[=./] ]]; then COMPREPLY[0]+=" "; fi
}
complete -o nospace -F _gpu_pricer gpu-pricer
